"""The base classes of verbs: a step as written, what a running step may use, and what a verb must define."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.errors import StepFailed
from run_scenarios.core.frozen import unchecked_frozen_by_identity
from run_scenarios.core.nodes import ExpressionNode, JsonValue, Node
from run_scenarios.core.source import Span
from run_scenarios.steps.argument_types import NOTHING
from run_scenarios.steps.mutations import Mutator
from run_scenarios.steps.scope import Block, Scope

if TYPE_CHECKING:
    # Checking a scenario does not run it, and need not load these.
    from run_scenarios.qemu.machine import Machine
    from run_scenarios.qemu.nbd_server import NbdServer
    from run_scenarios.qemu.process import ChildProcesses, CompletedTool
    from run_scenarios.qemu.programs import Programs
    from run_scenarios.qemu.trace import Trace

DEFAULT_VM = "vm"


@unchecked_frozen_by_identity
class Step:
    """One step as written: its verb, the verb's argument, and the modifiers.

    :param modifiers: every modifier except `save`, by its key.
    :param expressions: the expressions of its argument and its modifiers.
    :param names: the variables that its argument uses, in order.
    :param mentions: the variables that it uses anywhere, including in the steps of its block.
    :param confined: whether its files must stay in the case's directory.
    :param saved_at: where the name in `save` was written.
    :param parsed: the parsed argument, None if the argument has expressions.
    """

    verb: type[Verb]
    span: Span
    argument: Node
    body: tuple[Step, ...]
    modifiers: Mapping[str, Node]
    expressions: tuple[ExpressionNode, ...]
    names: tuple[str, ...]
    mentions: frozenset[str]
    confined: bool
    save: str | None
    saved_at: Span | None
    parsed: Verb | None

    @property
    def name(self) -> Node | None:
        """The step's title, None if it has none."""
        return self.modifiers.get("name")

    @property
    def error(self) -> Node | None:
        """The error the step must fail with, None if it must succeed."""
        return self.modifiers.get("error")

    @property
    def expect(self) -> Node | None:
        """The expected result, None if any result is accepted."""
        return self.modifiers.get("expect")


@dataclass(kw_only=True)
class Context:
    """What a running step may use.

    :param pauses: whether a person may want to talk to the VMs while the run is paused.
    """

    directory: Path
    logs: Path
    scope: Scope
    body: tuple[Step, ...]
    machines: dict[str, Machine]
    servers: dict[str, NbdServer]
    programs: Programs
    processes: ChildProcesses
    trace: Trace
    disks: Disks
    vm_name: str
    pauses: bool

    def describe_wait(self, what: str) -> None:
        """Record what the step waits for, for the message of a timeout."""
        raise NotImplementedError

    async def run_tool(self, tool: str, *arguments: str) -> CompletedTool:
        """Run a tool of the QEMU under test until it ends, with any status.

        :raise SetupError: if it was not found or cannot be started.
        """
        raise NotImplementedError

    async def run_block(self, block: Block, limit_s: float | None = None) -> None:
        """Run the steps of a block.

        :param limit_s: the seconds that they may take together, None for no limit.
        :raise StepFailed: if one of them fails.
        :raise TimeLimitExceeded: if they take longer.
        """
        raise NotImplementedError


class Verb:
    """The parsed argument of a step, and the action. A verb's docstring is its reference documentation.

    A verb is looked up by its `NAME`; its argument is checked against `SCHEMA` before `parse` is called.
    Not an abstract base class: `issubclass` is asked of every step, and ABCMeta makes that five times as slow.
    """

    NAME: ClassVar[str]
    SCHEMA: ClassVar[dict[str, Any]]
    RESULT: ClassVar[str] = ""
    """The result that `save` and `expect` see, as text; "" if the verb has no result."""
    FAILS_WITH: ClassVar[str] = ""
    """The value that `error` is matched against, as text; "" if the verb cannot be expected to fail."""
    MUTATORS: ClassVar[tuple[Mutator, ...]]
    """How `--audit` breaks each assertion in the argument; `()` if there is none."""
    OPENS_FILES: ClassVar[bool] = True
    """Whether a program may open a file that the argument names; links out of the directory are then refused first."""
    EFFECTS_KEY: ClassVar[str] = ""
    """The key whose list items are writes that a later step must detect when `--audit` drops them; "" if none."""
    HAS_BODY: ClassVar[bool] = False
    """Whether the key `steps` follows, with steps for the verb to run."""
    SIBLING_KEYS: ClassVar[dict[str, Any]] = {}
    """Keys next to the verb that belong to its argument, with their schemas; `parse` then gets a mapping of all."""

    @classmethod
    def parse(cls, argument: Any) -> Self:
        """Return the parsed argument.

        :param argument: a rendered node that `SCHEMA` accepts; typed `Any` because the schema has narrowed it.
        :raise ScenarioError: for an error that a schema cannot express.
        """
        raise NotImplementedError

    async def run(self, context: Context) -> JsonValue:
        """Perform the step and return its result.

        :raise StepFailed: if the step does not do what it says.
        """
        raise NotImplementedError

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        """Record what the step has changed on the case's disks; most verbs change nothing.

        :param succeeded: False if it failed, so that anything it does may have been done or not.
        """


class VerbWithoutArgument(Verb):
    """A verb that takes no argument."""

    SCHEMA: ClassVar[dict[str, Any]] = NOTHING

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls()


class ControlFlowVerb(Verb):
    """A verb that runs other steps or sets variables.

    The dry run and the run both call `unfold`; in the dry run, values may be unknown.
    """

    OPENS_FILES = False

    def unfold(self, scope: Scope, body: tuple[Step, ...]) -> Iterator[Block]:
        """Yield the blocks it runs, in order, and set the variables it sets in `scope`.

        :raise ScenarioError: for an unknown name.
        """
        raise NotImplementedError

    async def run(self, context: Context) -> JsonValue:
        """Run the blocks one after the other."""
        for block in self.unfold(context.scope, context.body):
            await context.run_block(block)
        return None


def find_vm(context: Context) -> Machine:
    """Return the VM that the step refers to, running or not.

    :raise StepFailed: if it was never launched.
    """
    name = context.vm_name
    machine = context.machines.get(name)
    if machine is None:
        launched = ", ".join(context.machines) or "none"
        hint = did_you_mean(name, context.machines, f"launched so far: {launched}")
        raise StepFailed(f"VM '{name}' has not been launched", hint=hint)
    return machine


def require_vm(context: Context) -> Machine:
    """Return the VM that the step refers to, for a command; a crashed VM is returned too, and the command reports it.

    :raise StepFailed: if it was never launched, or has ended as expected.
    """
    machine = find_vm(context)
    if machine.exited_as_expected:
        raise machine.ended_error()
    return machine
