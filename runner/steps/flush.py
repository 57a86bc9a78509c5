"""The verb `flush`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from runner.nodes import JsonValue
from runner.steps.asserted import ASSERTS_NOTHING
from runner.steps.base import Context, Verb
from runner.steps.disk import DISK, IO_FAILURE, Disk, IoCommand, disk_of, do_io
from runner.steps.shapes import TEXT, described, record


@dataclass(frozen=True)
class Flush(Verb):
    """Flush a drive or node of the running VM, or an image file.

    QEMU's monitor does not say whether the flush of a drive or node has succeeded; that of a file must succeed.

    .. code-block:: yaml

        - flush: drive0
        - flush: {file: drive0.qcow2}
    """

    NAME = "flush"
    ASSERTS = ASSERTS_NOTHING
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [described(TEXT, "the drive or node, by id or node name"), record([], **DISK)]
    }

    disk: Disk

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(disk_of(argument))

    async def run(self, context: Context) -> JsonValue:
        await do_io(context, self.disk, [IoCommand("flush")])
        return None
