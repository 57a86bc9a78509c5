"""The verbs `serve-nbd` and `stop-nbd`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from run_scenarios.core.errors import StepFailed
from run_scenarios.core.exit_status import describe_status
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

if TYPE_CHECKING:
    import socket

SOCKET = "nbd.sock"
# Python, because a POSIX shell need not support file descriptors above 9 in a redirection.
PASS_SOCKET = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)


@dataclass(frozen=True)
class ServeNbd(Verb):
    """Export an image with qemu-nbd on a Unix socket in the case's directory.

    The socket is already listening when qemu-nbd starts, so clients can connect at once.

    .. code-block:: yaml

        - serve-nbd: {file: target.qcow2, export: target}
        - launch
        - qmp:
            execute: blockdev-add
            arguments: {driver: nbd, node-name: target, server: {type: unix, path: nbd.sock}, export: target}
    """

    NAME = "serve-nbd"
    MUTATORS = ()
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
        import socket

        path = context.directory / self.socket
        if path.exists():
            raise StepFailed(f"'{self.socket}' already exists", hint="stop the other server, or choose another socket")
        with socket.socket(socket.AF_UNIX) as listener:
            _bind(listener, context.directory, self.socket)
            listener.listen(16)
            options = ["--persistent", "--shared=16", "-f", self.image.format, *self.options]
            argv = [context.programs["qemu-nbd"], *options, self.image.file]
            context.servers[self.socket] = context.processes.start(
                _pass_socket(listener.fileno(), argv),
                vm=self.socket,
                log=context.logs / path.name,
                pass_fds=[listener.fileno()],
            )
        return None


def _bind(listener: socket.socket, directory: Path, name: str) -> None:
    """Bind the socket through a descriptor of its directory: the path of a socket is limited to 107 bytes."""
    fd = os.open(directory, os.O_PATH)
    try:
        listener.bind(f"/proc/self/fd/{fd}/{name}")
    finally:
        os.close(fd)


def _pass_socket(fd: int, argv: list[str]) -> list[str]:
    """Return a command that hands a listening socket to `argv` as systemd does. Source: sd_listen_fds(3)."""
    return [sys.executable, "-IS", "-c", PASS_SOCKET, str(fd), *argv]


@dataclass(frozen=True)
class StopNbd(Verb):
    """Stop the qemu-nbd that `serve-nbd` started, with SIGTERM, wait until it has exited, and remove its socket.

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
        server = context.servers.pop(self.socket, None)
        if server is None:
            hint = f"servers: {', '.join(context.servers) or 'none'}"
            raise StepFailed(f"there is no server on '{self.socket}'", hint=hint)
        if server.exitcode is not None:
            raise StepFailed(
                f"the server on '{self.socket}' {describe_status(server.exitcode)} before it was stopped",
                hint=server.stderr.tail().split("\n")[-1],
            )
        context.describe_wait("qemu-nbd to exit after SIGTERM")
        await server.terminate()
        (context.directory / self.socket).unlink(missing_ok=True)
        return None
