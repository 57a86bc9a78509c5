"""The verbs `serve-nbd` and `stop-nbd`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.errors import StepFailed
from run_scenarios.core.nodes import JsonValue, MappingNode
from run_scenarios.steps.argument_types import (
    ARGUMENTS,
    BOOLEAN,
    FILE,
    IMAGE_FORMAT,
    TEXT,
    Image,
    document,
    object_schema,
    parse_argv,
    parse_flag,
    parse_image,
    parse_text,
)
from run_scenarios.steps.verb import Context, Verb

SOCKET = "nbd.sock"


@dataclass(frozen=True)
class ServeNbd(Verb):
    """Export an image with qemu-nbd on a Unix socket in the case's directory, and wait until clients can connect.

    A qemu-nbd that exits before `stop-nbd` fails the case, even if no step uses it.

    .. code-block:: yaml

        - serve-nbd: {file: target.qcow2, export: target}
        - launch
        - qmp:
            execute: blockdev-add
            arguments: {driver: nbd, node-name: target, server: {type: unix, path: nbd.sock}, export: target}
    """

    NAME = "serve-nbd"
    MUTATORS = ()
    FAILS_WITH = "`{status, stderr}` of a qemu-nbd that exited before its greeting"
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["file"],
        file=FILE,
        format=IMAGE_FORMAT,
        socket=document(FILE, "name of the socket; `nbd.sock` by default"),
        export=document(TEXT, "name of the export; empty by default"),
        read_only=document(BOOLEAN, "refuse writes"),
        arguments=document(ARGUMENTS, "other command line arguments of qemu-nbd"),
    )

    image: Image
    socket: str
    options: tuple[str, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        export = argument.get("export")
        export_name = ["-x", parse_text(export)] if export else []
        read_only = ["-r"] if parse_flag(argument.get("read-only")) else []
        options = (*export_name, *read_only, *parse_argv(argument.get("arguments")))
        return cls(parse_image(argument), parse_text(argument.get("socket"), SOCKET), options)

    async def run(self, context: Context) -> JsonValue:
        from run_scenarios.qemu.nbd_server import NbdServer

        path = context.directory / self.socket
        if path.exists():
            raise StepFailed(f"'{self.socket}' already exists", hint="stop the other server, or choose another socket")
        context.describe_wait("qemu-nbd's greeting")
        options = ["--persistent", "--shared=16", "-f", self.image.format, *self.options]
        argv = [context.programs["qemu-nbd"], *options, self.image.file]
        context.servers[self.socket] = await NbdServer.launch(path, argv, context.processes, context.logs / path.name)
        return None

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        if not {"-r", "--read-only"} & set(self.options):
            disks.images.forget(self.image.file, forever=True)


@dataclass(frozen=True)
class StopNbd(Verb):
    """Stop the qemu-nbd that `serve-nbd` started, with SIGTERM, wait until it has exited, and remove its socket.

    The step fails if qemu-nbd has exited before, or crashes on SIGTERM.

    .. code-block:: yaml

        - stop-nbd
        - stop-nbd: {socket: other.sock}
    """

    NAME = "stop-nbd"
    MUTATORS = ()
    SCHEMA: ClassVar[dict[str, Any]] = {"anyOf": [{"type": "null"}, object_schema(["socket"], socket=FILE)]}

    socket: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_text(argument.get("socket")) if isinstance(argument, MappingNode) else SOCKET)

    async def run(self, context: Context) -> JsonValue:
        server = context.servers.get(self.socket)
        if server is None:
            hint = f"servers: {', '.join(context.servers) or 'none'}"
            raise StepFailed(f"there is no server on '{self.socket}'", hint=hint)
        context.describe_wait("qemu-nbd to exit after SIGTERM")
        await server.stop()
        del context.servers[self.socket]
        return None
