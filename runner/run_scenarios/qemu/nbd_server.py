"""Start and stop a qemu-nbd under test, and notice when it exits by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from run_scenarios.core.errors import CommandFailed, MachineDied
from run_scenarios.core.exit_status import STATUSES_AFTER_SIGTERM, describe_status
from run_scenarios.qemu.process import Child, ChildProcesses

# Python, because a POSIX shell need not support file descriptors above 9 in a redirection.
PASS_SOCKET = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)
# Source: the NBD protocol, "newstyle negotiation".
GREETING_SIZE = 18
REPLY_SIZE = 20
FIXED_NEWSTYLE_WITHOUT_ZEROES = 3
ABORT = struct.pack(">I8sII", FIXED_NEWSTYLE_WITHOUT_ZEROES, b"IHAVEOPT", 2, 0)


class NbdServer:
    """A running qemu-nbd; `NbdServer.launch` makes one."""

    def __init__(self, socket_path: Path, child: Child) -> None:
        self.name = socket_path.name
        self.exit_expected = False
        self._socket_path = socket_path
        self._child = child

    @classmethod
    async def launch(cls, socket_path: Path, argv: Sequence[str], processes: ChildProcesses, log: Path) -> NbdServer:
        """Start `argv` with a listening Unix socket, and wait until it greets a client.

        :param log: where its output is kept, as `LOG.stdout` and `LOG.stderr`.
        :raise CommandFailed: if it exits before its greeting; `error` sees `{"status": int, "stderr": str}`.
        :raise SetupError: if it cannot be started.
        """
        with socket.socket(socket.AF_UNIX) as listener:
            with _short_path(socket_path) as path:
                listener.bind(path)
                listener.listen(16)
                client = socket.socket(socket.AF_UNIX)
                client.connect(path)
            try:
                command = _pass_socket(listener.fileno(), argv)
                child = processes.start(command, vm=socket_path.name, log=log, pass_fds=[listener.fileno()])
            except BaseException:
                client.close()
                raise
        server = cls(socket_path, child)
        await server._await_greeting(client)
        return server

    @property
    def exitcode(self) -> int | None:
        """The exit status, or minus the number of the signal that killed it; None while it runs."""
        return self._child.exitcode

    @property
    def is_lost(self) -> bool:
        """Whether it has exited without being asked to."""
        return not self.exit_expected and self._child.has_exited

    @property
    def has_crashed(self) -> bool:
        """The same once it has been reaped."""
        return not self.exit_expected and self.exitcode is not None

    async def stop(self) -> None:
        """Send SIGTERM, wait until it has exited, and remove its socket.

        :raise MachineDied: if it has exited before, or does not exit cleanly.
        """
        if self.is_lost:
            raise await self.exit_error()
        self.exit_expected = True
        if await self._child.terminate() not in STATUSES_AFTER_SIGTERM:
            raise await self.exit_error()
        self._socket_path.unlink(missing_ok=True)

    async def exit_error(self) -> MachineDied:
        """Return the error that says how it exited."""
        status = await self._child.wait()
        when = " after SIGTERM" if self.exit_expected else ""
        return MachineDied(
            f"{self} {describe_status(status)}{when}", status, program=self.name, hint=self.stderr_tail()
        )

    def stderr_tail(self) -> str:
        """Return the end of its standard error."""
        return self._child.stderr.tail()

    def __str__(self) -> str:
        return f"qemu-nbd on '{self.name}'"

    async def _await_greeting(self, client: socket.socket) -> None:
        """Be the first client, and leave by the option ABORT, so that the server does not report an error."""
        client.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=client)
        try:
            await reader.readexactly(GREETING_SIZE)
            writer.write(ABORT)
            await reader.readexactly(REPLY_SIZE)
        except (OSError, asyncio.IncompleteReadError):
            status = await self._child.wait()
            self._socket_path.unlink(missing_ok=True)
            stderr = self.stderr_tail()
            message = f"{self} {describe_status(status)} before its greeting"
            reply: dict[str, object] = {"status": status, "stderr": stderr}
            raise CommandFailed(message, reply, hint=stderr, details=tuple(stderr.splitlines())) from None
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.contextmanager
def _short_path(path: Path) -> Iterator[str]:
    """Yield a path to a socket through a descriptor of its directory: the path of a socket has at most 107 bytes."""
    fd = os.open(path.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)


def _pass_socket(fd: int, argv: Sequence[str]) -> list[str]:
    """Return a command that passes a listening socket to `argv` as systemd does. Source: sd_listen_fds(3)."""
    return [sys.executable, "-IS", "-c", PASS_SOCKET, str(fd), *argv]
