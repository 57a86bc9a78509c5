"""The verb `flush`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import TEXT, document, object_schema
from run_scenarios.steps.qemu_io_commands import (
    IO_FAILURE,
    IO_TARGET,
    IoCommand,
    IoTarget,
    parse_target,
    run_io_commands,
)
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class Flush(Verb):
    """Flush a drive or node of the running VM, or an image file.

    QEMU's monitor does not say whether the flush of a drive or node has succeeded; that of a file must succeed.

    .. code-block:: yaml

        - flush: drive0
        - flush: {file: drive0.qcow2}
    """

    NAME = "flush"
    MUTATORS = ()
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [document(TEXT, "the drive or node, by id or node name"), object_schema([], **IO_TARGET)]
    }

    disk: IoTarget

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_target(argument))

    async def run(self, context: Context) -> JsonValue:
        await run_io_commands(context, self.disk, [IoCommand("flush")])
        return None
