"""The verb `read`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from runner.nodes import JsonValue
from runner.steps.base import Context, Verb
from runner.steps.disk import DISK, IO_FAILURE, PATTERNS, Disk, IoCommand, Pattern, disk_of, do_io, patterns_of
from runner.steps.shapes import described, record


@dataclass(frozen=True)
class Read(Verb):
    """Read ranges with qemu-io and check that each is filled with its byte.

    Like `write`, it works on `file` or on `device`. A pattern without `byte` is read and not checked.

    .. code-block:: yaml

        - read: {device: drive0, patterns: [{byte: 0x41, at: 0, size: 512}]}
        - read: {file: inc0.qcow2, patterns: [{byte: 0, at: 1M, size: 32k}]}
    """

    NAME = "read"
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = record(
        ["patterns"], **DISK, patterns=described(PATTERNS, "what must be found, in this order")
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
    return IoCommand(f"read {pattern.text}", f"read {size}/{size} bytes at offset {at}\n")
