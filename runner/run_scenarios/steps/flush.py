"""The verb `flush`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import NODE_OR_DRIVE, object_schema
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
    """Flush a drive or node of the running VM, or an image file, with qemu-io.

    QEMU's monitor does not report whether flushing a drive or node succeeded; flushing a file must succeed.

    .. code-block:: yaml

        - flush: drive0
        - flush: {file: drive0.qcow2}
    """

    NAME = "flush"
    MUTATORS = ()
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = {"anyOf": [NODE_OR_DRIVE, object_schema([], **IO_TARGET)]}

    target: IoTarget

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_target(argument))

    async def run(self, context: Context) -> JsonValue:
        await run_io_commands(context, self.target, [IoCommand("flush")])
        return None

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        # The monitor does not report the error of a flush, so one on a device proves nothing by itself.
        if succeeded:
            self.target.record_flush(disks, vm)
