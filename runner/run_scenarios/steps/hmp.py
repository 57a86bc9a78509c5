"""The verb `hmp`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.errors import CommandFailed
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import TEXT, document, parse_text
from run_scenarios.steps.qemu_io_commands import run_monitor_line
from run_scenarios.steps.verb import Context, Verb, require_vm

FAILURE = re.compile(r"""^(Error: |unknown command: |Try "help |Device '.*' not found$)""", re.MULTILINE)


@dataclass(frozen=True)
class Hmp(Verb):
    """Run a command of the human monitor; it must not print an error.

    The monitor prints errors like any other output. A line counts as an error if it starts with `Error: `,
    `unknown command: ` or `Try "help `, or reads `Device '…' not found`. Use `expect` for commands with other errors.
    What `qemu-io` prints outside of the reply is checked as with the verb `qemu-io`, and is part of the result.

    .. code-block:: yaml

        - hmp: savevm snap0
        - hmp: info block
          expect: {$contains: drive0.qcow2}
        - hmp: delvm nosuch
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
        output = str(await run_monitor_line(machine, self.line, machine.hmp(self.line)))
        if FAILURE.search(output):
            raise CommandFailed(f"'{self.line}' failed: {output.strip()}", {"output": output.strip()})
        return output

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        command = self.line.split()[:1]
        if command not in (["info"], ["savevm"], ["delvm"], ["help"]):
            disks.forget_vm(vm)
