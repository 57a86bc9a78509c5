"""The verb `qmp`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.commands import apply_command
from run_scenarios.content.disks import Disks
from run_scenarios.core.errors import CommandFailed, scenario_error
from run_scenarios.core.nodes import JsonObject, JsonValue, to_json
from run_scenarios.steps.argument_types import JSON_OBJECT, TEXT, document, object_schema
from run_scenarios.steps.monitor_commands import UNKNOWN_COMMAND, run_qemu_io_line
from run_scenarios.steps.qemu_io_output import is_qemu_io
from run_scenarios.steps.verb import Context, Verb, require_vm


@dataclass(frozen=True)
class Qmp(Verb):
    """Send one QMP command; it must succeed, unless `error` describes the error it must fail with.

    A string is a command without arguments. The arguments are sent to QEMU as written. `expect` checks the returned
    value, `save` stores it in a variable.

    `human-monitor-command` returns errors of the monitor as text; only an unknown command and a failed `qemu-io` fail
    the step. The verb `hmp` detects other errors too.

    .. code-block:: yaml

        - qmp: {execute: block-dirty-bitmap-add, arguments: {node: drive0, name: bitmap0}}
        - qmp: query-block-jobs
          expect: []
        - qmp: {execute: block-dirty-bitmap-remove, arguments: {node: drive0, name: nosuch}}
          error: {class: GenericError, desc: {$contains: not found}}
    """

    NAME = "qmp"
    MUTATORS = ()
    RESULT = "the value that the command returns"
    FAILS_WITH = "`{class, desc}` of the error; `{output}` if `human-monitor-command` fails"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            TEXT,
            object_schema(
                [],
                execute=document(TEXT, "name of the command"),
                exec_oob=document(TEXT, "name of the command, to execute it out of band"),
                arguments=document(JSON_OBJECT, "arguments of the command"),
            ),
        ]
    }

    message: JsonObject

    @classmethod
    def parse(cls, argument: Any) -> Self:
        value = to_json(argument)
        if not isinstance(value, dict):
            return cls({"execute": value})
        if ("execute" in value) == ("exec-oob" in value):
            raise scenario_error(
                argument.span, "needs exactly one of 'execute' and 'exec-oob'", "for example 'execute: query-block'"
            )
        return cls(value)

    def _monitor_line(self) -> str:
        """Return the line that `human-monitor-command` runs, "" for another command."""
        arguments = self.message.get("arguments")
        is_line = self.message.get("execute") == "human-monitor-command" and isinstance(arguments, dict)
        return str(arguments.get("command-line", "")) if is_line and isinstance(arguments, dict) else ""

    async def run(self, context: Context) -> JsonValue:
        machine = require_vm(context)
        context.describe_wait(f"the reply to '{self.message.get('execute', self.message.get('exec-oob'))}'")
        line = self._monitor_line()
        if is_qemu_io(line):
            return await run_qemu_io_line(machine, line, lambda: machine.execute(self.message))
        result = await machine.execute(self.message)
        if line and UNKNOWN_COMMAND.match(str(result)):
            raise CommandFailed(f"'{line}' failed: {str(result).strip()}", {"output": str(result).strip()})
        if self.message.get("execute") == "quit":
            machine.quit_issued = True
        return result

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        name = self.message.get("execute", self.message.get("exec-oob"))
        arguments = self.message.get("arguments", {})
        if isinstance(arguments, dict):
            apply_command(disks, vm, str(name), arguments, succeeded=succeeded)
