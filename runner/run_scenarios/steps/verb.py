"""What a step is, and what it may use. The verbs build on this; it imports no verb."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.errors import StepFailed
from run_scenarios.core.frozen import unchecked_frozen_by_identity
from run_scenarios.core.nodes import ExpressionNode, JsonValue, Node, UnknownValue
from run_scenarios.core.source import Span
from run_scenarios.steps.mutations import Mutator
from run_scenarios.syntax.expressions import Variables

if TYPE_CHECKING:
    # What a running step uses; it is not needed to check one.
    from run_scenarios.qemu.machine import Machine
    from run_scenarios.qemu.process import Child, ChildProcesses, CompletedTool
    from run_scenarios.qemu.programs import Programs
    from run_scenarios.qemu.trace import Trace

DEFAULT_VM = "vm"


class Scope:
    """The variables and procedures that a block of steps sees.

    A block adds its own variables to it; the scope of a procedure starts with nothing but its arguments.
    """

    def __init__(self, variables: Variables, procedures: Mapping[str, Procedure]) -> None:
        self.variables: dict[str, JsonValue | UnknownValue] = dict(variables)
        self.procedures = procedures

    def set(self, name: str, value: JsonValue | UnknownValue) -> None:
        """Set a variable, or replace its value."""
        self.variables[name] = value


@dataclass(frozen=True)
class Block:
    """Steps to run one after the other in one scope."""

    steps: Sequence[Step]
    scope: Scope


@dataclass(frozen=True)
class Parameter:
    """One declared parameter of a procedure; `default` is None where an argument must be given."""

    name: str
    type: str
    default: Node | None
    span: Span


@dataclass(frozen=True, eq=False)
class Procedure:
    """A named sequence of steps with declared parameters and a scope of its own.

    :param visible: the procedures that its steps may call.
    """

    name: str
    span: Span
    parameters: Mapping[str, Parameter]
    steps: Sequence[Step]
    returns: Node | None
    visible: Mapping[str, Procedure]


@unchecked_frozen_by_identity
class Step:
    """One step as written: a verb, its argument, and the modifiers beside it.

    :param modifiers: all but `save`, by their key.
    :param expressions: those of its argument and its modifiers.
    :param names: the variables that its argument mentions, in order.
    :param mentions: all that it mentions anywhere, in the steps of its block too.
    :param confined: whether its files must stay in the case's directory.
    :param saved_at: where the name in `save` was written.
    :param parsed: the verb, unless its argument has expressions.
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
        """What it is for, None if it does not say."""
        return self.modifiers.get("name")

    @property
    def error(self) -> Node | None:
        """How it must fail, None if it must not."""
        return self.modifiers.get("error")

    @property
    def expect(self) -> Node | None:
        """What its result must be, None if that does not matter."""
        return self.modifiers.get("expect")


class Context(Protocol):
    """What the executor offers a running step."""

    directory: Path
    logs: Path
    scope: Scope
    body: tuple[Step, ...]
    machines: dict[str, Machine]
    servers: dict[str, Child]
    programs: Programs
    processes: ChildProcesses
    trace: Trace
    vm_name: str
    pauses: bool
    """Whether somebody may want to talk to the VMs beside us."""

    def describe_wait(self, what: str) -> None:
        """Say what a time-out would now have waited for."""

    async def tool(self, tool: str, *arguments: str) -> CompletedTool:
        """Run a tool of the QEMU under test to its end, whatever its status.

        :raise SetupError: if it was not found or cannot be started.
        """

    async def run_block(self, block: Block) -> None:
        """Run the steps of a block.

        :raise StepFailed: if one of them fails.
        """


class Verb(ABC):
    """The argument of a step, typed, and what it does. The docstring of a verb is its reference documentation.

    A verb is found under its `NAME`; its argument is checked against `SCHEMA` before `parse` sees it.
    """

    NAME: ClassVar[str]
    SCHEMA: ClassVar[dict[str, Any]]
    RESULT: ClassVar[str] = ""
    """What `save` and `expect` get, in words; "" where the verb has no result."""
    FAILS_WITH: ClassVar[str] = ""
    """What `error` matches against, in words; "" where the verb cannot be expected to fail."""
    MUTATORS: ClassVar[tuple[Mutator, ...]]
    """What a step asserts by itself, without `expect` and `error`; `ASSERTS_NOTHING` is an answer too."""
    OPENS_FILES: ClassVar[bool] = True
    """Whether it may have a program open a file by its name; none has left a link out of the case's directory then."""
    EFFECTS_KEY: ClassVar[str] = ""
    """The key of the list of what it does that something later must look at, item by item; "" if there is none."""
    IS_CONTROL_FLOW: ClassVar[bool] = False
    """Whether it is a `ControlFlowVerb`; asking for the class takes long, and there are many steps."""
    HAS_BODY: ClassVar[bool] = False
    SIBLING_KEYS: ClassVar[dict[str, Any]] = {}
    """Keys beside the verb that belong to its argument, with their schemas; then `parse` gets a mapping of them all."""

    @classmethod
    @abstractmethod
    def parse(cls, argument: Any) -> Self:
        """Return the typed argument.

        :param argument: a rendered node that `SCHEMA` accepts; `Any`, for the schema is what narrows it.
        :raise ScenarioError: for what a schema cannot say.
        """

    @abstractmethod
    async def run(self, context: Context) -> JsonValue:
        """Do the step and return its result.

        :raise StepFailed: if it does not do what it says.
        """


class ControlFlowVerb(Verb):
    """A verb that runs other steps or sets variables.

    Planning and running unfold it alike: planning with the values that are known by then.
    """

    IS_CONTROL_FLOW = True
    OPENS_FILES = False

    @abstractmethod
    def unfold(self, scope: Scope, body: tuple[Step, ...]) -> Iterator[Block]:
        """Yield what it runs, in order; and set in `scope` what it sets.

        :raise ScenarioError: for a name that is not there.
        """

    async def run(self, context: Context) -> JsonValue:
        """Run the blocks one after the other."""
        for block in self.unfold(context.scope, context.body):
            await context.run_block(block)
        return None


def find_vm(context: Context) -> Machine:
    """Return the VM that the step means, whether it runs or has ended.

    :raise StepFailed: if it was not launched.
    """
    name = context.vm_name
    machine = context.machines.get(name)
    if machine is None:
        running = ", ".join(context.machines) or "none"
        hint = did_you_mean(name, context.machines, f"launched so far: {running}")
        raise StepFailed(f"VM '{name}' has not been launched", hint=hint)
    return machine


def require_vm(context: Context) -> Machine:
    """Return the running VM that the step means; one that has crashed too, for what is asked of it tells how.

    :raise StepFailed: if it was not launched, or has ended as it should.
    """
    machine = find_vm(context)
    if machine.exited_as_expected:
        raise machine.ended_error()
    return machine
