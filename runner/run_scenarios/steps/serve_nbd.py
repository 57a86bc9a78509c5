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
    BOOLEAN,
    FILE,
    FORMAT,
    TEXT,
    Image,
    document,
    list_schema,
    object_schema,
    parse_argv,
    parse_file,
    parse_flag,
    parse_image_file,
    parse_text,
)
from run_scenarios.steps.verb import Context, Verb

if TYPE_CHECKING:
    import socket

SOCKET = "nbd.sock"
# Python, for the shell cannot: a POSIX shell need not take descriptors above 9 in a redirection.
HAND_OVER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)


@dataclass(frozen=True)
class ServeNbd(Verb):
    """Export an image with qemu-nbd on a Unix socket in the case's directory, `nbd.sock` unless named otherwise.

    The socket is listening before qemu-nbd starts, so a client can connect at once.

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
        format=document(FORMAT, "its format, if the suffix does not tell it"),
        socket=document(FILE, "the socket; `nbd.sock` by default"),
        export=document(TEXT, "the export's name; the empty name by default"),
        read_only=document(BOOLEAN, "refuse writes"),
        arguments=document(list_schema({"type": ["string", "integer"]}), "further words of qemu-nbd's command line"),
    )

    image: Image
    socket: str
    options: tuple[str, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        endpoint, export, extra = (argument.get(key) for key in ("socket", "export", "arguments"))
        options = [
            *(["-x", parse_text(export)] if export else []),
            *(["-r"] if parse_flag(argument.get("read-only")) else []),
        ]
        return cls(
            parse_image_file(argument.get("file"), argument.get("format")),
            parse_file(endpoint) if endpoint else SOCKET,
            (*options, *(parse_argv(extra) if extra else ())),
        )

    async def run(self, context: Context) -> JsonValue:
        import socket

        path = context.directory / self.socket
        if path.exists():
            raise StepFailed(f"'{self.socket}' exists already", hint="stop the other server, or name another socket")
        with socket.socket(socket.AF_UNIX) as listener:
            _bind(listener, context.directory, self.socket)
            listener.listen(16)
            argv = [
                context.programs["qemu-nbd"],
                "-t",
                "-e",
                "16",
                "-f",
                self.image.format,
                *self.options,
                self.image.file,
            ]
            context.servers[self.socket] = context.processes.start(
                _activated(listener.fileno(), argv),
                vm=self.socket,
                log=context.logs / path.name,
                pass_fds=[listener.fileno()],
            )
        return None


def _bind(listener: socket.socket, directory: Path, name: str) -> None:
    """Bind by way of a descriptor: the path of a socket is limited to about a hundred bytes, a directory's is not."""
    fd = os.open(directory, os.O_PATH)
    try:
        listener.bind(f"/proc/self/fd/{fd}/{name}")
    finally:
        os.close(fd)


def _activated(fd: int, argv: list[str]) -> list[str]:
    """Return a command that hands a listening socket to `argv` as systemd does. Source: sd_listen_fds(3)."""
    return [sys.executable, "-IS", "-c", HAND_OVER, str(fd), *argv]


@dataclass(frozen=True)
class StopNbd(Verb):
    """End the qemu-nbd that `serve-nbd` started, with SIGTERM, and wait until it has ended; its socket goes too.

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
            raise StepFailed(f"no server on '{self.socket}'", hint=f"there is: {', '.join(context.servers) or 'none'}")
        if server.exitcode is not None:
            raise StepFailed(
                f"the server on '{self.socket}' {describe_status(server.exitcode)} before it was stopped",
                hint=server.stderr.tail().split("\n")[-1],
            )
        context.describe_wait("qemu-nbd to end after SIGTERM")
        await server.terminate()
        (context.directory / self.socket).unlink(missing_ok=True)
        return None
