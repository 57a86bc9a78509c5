"""The verb `hmp`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import TEXT, document, parse_text
from run_scenarios.steps.monitor_commands import run_monitor_command
from run_scenarios.steps.verb import Context, Verb, require_vm


@dataclass(frozen=True)
class Hmp(Verb):
    """Run a command of the human monitor; it must not print an error.

    The monitor prints errors like any other output. Output is an error if it starts with `Error: ` or is another known
    message of an error, and any output but a warning is one for commands that print nothing if they succeed. What
    `qemu-io` prints is checked as with the verb `qemu-io`, and is the result.

    .. code-block:: yaml

        - hmp: savevm snap0
        - hmp: info block
          expect: {$contains: drive0.qcow2}
        - hmp: loadvm nosuch
          error: {output: {$contains: "Error: "}}
    """

    NAME = "hmp"
    MUTATORS = ()
    RESULT = "the output of the command, as text"
    FAILS_WITH = "`{output}`: the output of the command"
    SCHEMA: ClassVar[dict[str, Any]] = document(TEXT, "command line of the human monitor")

    line: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_text(argument))

    async def run(self, context: Context) -> JsonValue:
        machine = require_vm(context)
        context.describe_wait(f"the reply to '{self.line}'")
        return await run_monitor_command(machine, self.line)

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        command = self.line.split()[:1]
        if command not in (["info"], ["savevm"], ["delvm"], ["help"]):
            disks.forget_vm(vm)
