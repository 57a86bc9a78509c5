"""The verb `discard`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import document, list_schema, object_schema
from run_scenarios.steps.qemu_io_commands import (
    IO_FAILURE,
    IO_TARGET,
    RANGE,
    IoCommand,
    IoTarget,
    Range,
    parse_range,
    parse_target,
    run_io_commands,
)
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class Discard(Verb):
    """Discard ranges of `file` or `device` with qemu-io.

    .. code-block:: yaml

        - discard: {device: drive0, ranges: [{at: 1M, size: 64k}]}
    """

    NAME = "discard"
    MUTATORS = ()
    EFFECTS_KEY = "ranges"
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["ranges"],
        **IO_TARGET,
        ranges=document(list_schema(object_schema(["at", "size"], **RANGE)), "ranges to discard, in this order"),
    )

    target: IoTarget
    ranges: tuple[Range, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_target(argument), tuple(map(parse_range, argument.get("ranges"))))

    async def run(self, context: Context) -> JsonValue:
        await run_io_commands(context, self.target, [_make_command(each) for each in self.ranges])
        return None

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        for each in self.ranges:
            self.target.record_discard(disks, vm, each)
        if succeeded and self.target.image:
            self.target.record_flush(disks, vm)


def _make_command(each: Range) -> IoCommand:
    size = each.size.bytes
    return IoCommand(
        f"discard {each.at.text} {each.size.text}", f"discard {size}/{size} bytes at offset {each.at.bytes}\n"
    )
