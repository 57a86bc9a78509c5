"""The verb `discard`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import described, list_of, record
from run_scenarios.steps.mutations import ASSERTS_NOTHING
from run_scenarios.steps.qemu_io_commands import (
    DISK,
    IO_FAILURE,
    RANGE,
    Disk,
    IoCommand,
    Range,
    disk_of,
    do_io,
    range_of,
)
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class Discard(Verb):
    """Discard ranges with qemu-io, of `file` or of `device`.

    .. code-block:: yaml

        - discard: {device: drive0, ranges: [{at: 1M, size: 64k}]}
    """

    NAME = "discard"
    ASSERTS = ASSERTS_NOTHING
    TO_BE_NOTICED = "ranges"
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = record(
        ["ranges"], **DISK, ranges=described(list_of(record(["at", "size"], **RANGE)), "what to discard, in this order")
    )

    disk: Disk
    ranges: tuple[Range, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(disk_of(argument), tuple(map(range_of, argument.get("ranges"))))

    async def run(self, context: Context) -> JsonValue:
        await do_io(context, self.disk, [_command(each) for each in self.ranges])
        return None


def _command(each: Range) -> IoCommand:
    size = each.size.bytes
    return IoCommand(
        f"discard {each.at.text} {each.size.text}", f"discard {size}/{size} bytes at offset {each.at.bytes}\n"
    )
