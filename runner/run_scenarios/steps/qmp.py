"""The verb `qmp`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import scenario_error
from run_scenarios.core.nodes import JsonObject, JsonValue, to_json
from run_scenarios.steps.argument_types import JSON_OBJECT, TEXT, document, object_schema
from run_scenarios.steps.verb import Context, Verb, require_vm


@dataclass(frozen=True)
class Qmp(Verb):
    """Send one QMP command in QMP's own format; it must return, unless `error` beside it says how it must fail.

    A string alone is a command without arguments. The arguments go to QEMU as written. To assert on what is returned,
    say `expect` beside the step; to use it later, `save`.

    .. code-block:: yaml

        - qmp: {execute: block-dirty-bitmap-add, arguments: {node: drive0, name: bitmap0}}
        - qmp: query-block-jobs
          expect: []
        - qmp: {execute: block-dirty-bitmap-remove, arguments: {node: drive0, name: nosuch}}
          error: {class: GenericError, desc: {$contains: not found}}
    """

    NAME = "qmp"
    MUTATORS = ()
    RESULT = "what the command returns"
    FAILS_WITH = "`{class, desc}` of QEMU's reply"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            TEXT,
            object_schema(
                [],
                execute=document(TEXT, "the command's name"),
                exec_oob=document(TEXT, "the command's name, to execute it out of band"),
                arguments=document(JSON_OBJECT, "the command's arguments"),
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
                argument.span, "needs 'execute' or 'exec-oob', and one of them only", "execute: query-block"
            )
        return cls(value)

    async def run(self, context: Context) -> JsonValue:
        machine = require_vm(context)
        context.describe_wait(f"the reply to '{self.message.get('execute', self.message.get('exec-oob'))}'")
        result = await machine.execute(self.message)
        if self.message.get("execute") == "quit":
            machine.quit_issued = True
        return result
