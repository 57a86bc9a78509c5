"""The verb `qemu-io`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import TEXT, document, list_schema, object_schema, parse_argv
from run_scenarios.steps.qemu_io_commands import (
    IO_FAILURE,
    IO_TARGET,
    IoCommand,
    IoTarget,
    parse_target,
    run_io_commands,
)
from run_scenarios.steps.verb import Context, Verb

READ_ONLY_COMMANDS = {"aio_read", "alloc", "help", "info", "length", "map", "read", "readv", "sleep"}


@dataclass(frozen=True)
class QemuIo(Verb):
    """Run qemu-io commands on `file` or `device`, for operations that have no verb.

    The step fails if a command prints an error.

    .. code-block:: yaml

        - qemu-io: {device: drive0, commands: [write -z -u 0 64k, map]}
    """

    NAME = "qemu-io"
    MUTATORS = ()
    RESULT = "the output of the commands, as text"
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["commands"], **IO_TARGET, commands=document(list_schema(TEXT), "qemu-io commands, in this order")
    )

    target: IoTarget
    commands: tuple[str, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_target(argument), parse_argv(argument.get("commands")))

    async def run(self, context: Context) -> JsonValue:
        return await run_io_commands(context, self.target, [IoCommand(command) for command in self.commands])

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        names = {command.split()[0] for command in self.commands if command.split()}
        if not names <= READ_ONLY_COMMANDS:
            self.target.forget(disks, vm)
