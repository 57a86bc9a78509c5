"""The verb `write`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from runner.nodes import JsonValue
from runner.steps.base import Context, Verb
from runner.steps.disk import DISK, IO_FAILURE, PATTERNS, Disk, IoCommand, Pattern, disk_of, do_io, patterns_of
from runner.steps.shapes import described, record


@dataclass(frozen=True)
class Write(Verb):
    """Write patterns with qemu-io: to `file` while no VM has it open, or to `device` of the running VM.

    A write that does not report all its bytes as written fails the step.

    .. code-block:: yaml

        - write: {file: drive0.qcow2, patterns: [{byte: 0x41, at: 0, size: 512}]}
        - write:
            device: drive0
            patterns:
              - {byte: 0xfe, at: 16M, size: 256k}
              - {byte: 0x64, at: 32736k, size: 64k}
    """

    NAME = "write"
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = record(
        ["patterns"], **DISK, patterns=described(PATTERNS, "what to write, in this order")
    )

    disk: Disk
    patterns: tuple[Pattern, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(disk_of(argument), patterns_of(argument.get("patterns")))

    async def run(self, context: Context) -> JsonValue:
        await do_io(context, self.disk, [_command(pattern) for pattern in self.patterns])
        return None


def _command(pattern: Pattern) -> IoCommand:
    at, size = pattern.range.at.bytes, pattern.range.size.bytes
    return IoCommand(f"write {pattern.text}", f"wrote {size}/{size} bytes at offset {at}\n")
