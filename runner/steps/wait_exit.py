"""The verb `wait-exit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from runner.errors import StepFailed
from runner.exit_status import describe_status
from runner.nodes import JsonValue, to_json
from runner.steps.base import Context, Verb, launched
from runner.steps.shapes import described, record


@dataclass(frozen=True)
class WaitExit(Verb):
    """Wait until QEMU has ended by itself, with status 0 unless another is given.

    A status below zero is the number of the signal that ended it: -6 for SIGABRT.

    .. code-block:: yaml

        - qmp: quit
        - wait-exit
        - wait-exit: {status: -6}
    """

    NAME = "wait-exit"
    RESULT = "the exit status"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "null"},
            record(["status"], status=described({"type": "integer"}, "the expected exit status")),
        ]
    }

    expected: int

    @classmethod
    def parse(cls, argument: Any) -> Self:
        value = to_json(argument)
        expected = value["status"] if isinstance(value, dict) else 0
        assert isinstance(expected, int)
        return cls(expected)

    async def run(self, context: Context) -> JsonValue:
        machine = launched(context)
        if machine.exit_expected and machine.status is not None:
            raise machine.end()
        context.waits_for("QEMU to end")
        status = await machine.wait_exit()
        if status != self.expected:
            raise StepFailed(
                f"VM '{machine.name}' {describe_status(status)}",
                wanted=str(self.expected),
                found=str(status),
                hint=machine.stderr_tail(),
            )
        return status
