"""The verb `wait-exit`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.errors import StepFailed
from run_scenarios.core.exit_status import describe_status
from run_scenarios.core.nodes import ExpressionNode, JsonValue, MappingNode, Node, ScalarNode, make_mapping, to_json
from run_scenarios.steps.argument_types import document, object_schema
from run_scenarios.steps.mutations import Mutation, replace_key, wrap_expression
from run_scenarios.steps.verb import Context, Verb, find_vm


def _mutate_status(verb: str, argument: Node) -> Iterator[Mutation]:
    status = argument.get("status") if isinstance(argument, MappingNode) else ScalarNode(argument.span, 0)
    if isinstance(status, ScalarNode) and isinstance(status.value, int):
        other: Node = ScalarNode(status.span, status.value + 1)
    elif isinstance(status, ExpressionNode):
        other = wrap_expression(status, "%s + 1")
    else:
        return
    yield Mutation(status.span, {verb: replace_key(make_mapping(argument.span, ()), "status", other)})


@dataclass(frozen=True)
class WaitExit(Verb):
    """Wait until QEMU exits by itself; its status must be 0 unless another one is given.

    A negative status is the number of the signal that killed QEMU: -6 for SIGABRT.

    .. code-block:: yaml

        - qmp: quit
        - wait-exit
        - wait-exit: {status: -6}
    """

    NAME = "wait-exit"
    MUTATORS = (_mutate_status,)
    OPENS_FILES = False
    RESULT = "the exit status"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "null"},
            object_schema(["status"], status=document({"type": "integer"}, "expected exit status")),
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
        machine = find_vm(context)
        if machine.exit_expected and not machine.is_running:
            raise machine.ended_error()
        context.describe_wait("QEMU to exit")
        status = await machine.wait_exit()
        if status != self.expected:
            raise StepFailed(
                f"VM '{machine.name}' {describe_status(status)}",
                wanted=str(self.expected),
                found=str(status),
                path="status",
                difference={"expected": self.expected, "found": status},
                hint=machine.stderr_tail(),
            )
        return status

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        disks.end(vm, cleanly=succeeded and self.expected == 0)
