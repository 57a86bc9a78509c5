"""The verb `qemu-io`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import TEXT, argv_of, described, list_of, record
from run_scenarios.steps.mutations import ASSERTS_NOTHING
from run_scenarios.steps.qemu_io_commands import DISK, IO_FAILURE, Disk, IoCommand, disk_of, do_io
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class QemuIo(Verb):
    """Run these qemu-io commands, for what no other verb does, on `file` or on `device`.

    Output that says something failed fails the step.

    .. code-block:: yaml

        - qemu-io: {device: drive0, commands: [write -z -u 0 64k, map]}
    """

    NAME = "qemu-io"
    ASSERTS = ASSERTS_NOTHING
    RESULT = "all that the commands printed"
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = record(
        ["commands"], **DISK, commands=described(list_of(TEXT), "the commands, in this order")
    )

    disk: Disk
    commands: tuple[str, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(disk_of(argument), argv_of(argument.get("commands")))

    async def run(self, context: Context) -> JsonValue:
        return await do_io(context, self.disk, [IoCommand(command) for command in self.commands])
