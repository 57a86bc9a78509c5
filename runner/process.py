"""Start children, wait for them, end them, and leave none behind. Imports errors and trace.

Linux only: a child's end is seen through its pidfd, without threads and without polling.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runner.errors import SetupError
from runner.guardian import Guardian
from runner.trace import Trace

OUTPUT_LIMIT = 1 << 20
TERM_GRACE_S = 5.0


class Child:
    """A running child process, leader of its own session.

    :param note_end: called with its status as it ends, before anybody who waits for it goes on.
    """

    def __init__(self, popen: subprocess.Popen[bytes], note_end: Callable[[int], None]) -> None:
        self._popen = popen
        self._note_end = note_end
        self.pid = popen.pid
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pidfd = os.pidfd_open(popen.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    @property
    def status(self) -> int | None:
        """The exit status, minus the signal's number if one killed it, or None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Wait for the end of the child and return its `status`."""
        return await asyncio.shield(self._ended)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the child and to whatever it started; nothing happens if it has ended."""
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def end(self, *, politely: bool) -> None:
        """End the child: SIGTERM first if `politely`, SIGKILL if that does not help; return when it has ended."""
        if politely:
            self.send(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), TERM_GRACE_S)
        self.send(signal.SIGKILL)
        await self.wait()

    def _reap(self) -> None:
        # Whatever it started goes with it; until it is waited for, nobody else can have its number.
        self.send(signal.SIGKILL)
        status = self._popen.wait()
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._note_end(status)
        self._ended.set_result(status)


@dataclass(frozen=True)
class Completed:
    """How a tool ended: its argv, status, and what it printed."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    @property
    def command(self) -> str:
        """The command as one would type it."""
        return shlex.join(self.argv)


class Processes:
    """Starts the children of one case in its directory, and records them in its trace."""

    def __init__(self, directory: Path, trace: Trace, guardian: Guardian) -> None:
        self._directory = directory
        self._trace = trace
        self._guardian = guardian
        self._children: list[Child] = []
        self._environment = {**os.environ, "LC_ALL": "C"}

    def start(
        self,
        argv: Sequence[str],
        *,
        vm: str | None,
        stdout: IO[bytes],
        stderr: IO[bytes],
        pass_fds: Sequence[int] = (),
    ) -> Child:
        """Start a child in the case's directory, in a session of its own so that Ctrl-C reaches only us.

        :param vm: the name that its records in the trace carry.
        :raise SetupError: if the program cannot be started.
        """
        self._trace.record("exec", vm, list(argv))
        try:
            popen = subprocess.Popen(
                argv,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        except OSError as error:
            raise SetupError(f"cannot start {argv[0]}: {error.strerror}") from None
        self._guardian.watch_process(popen.pid)
        child = Child(popen, lambda status: self._note_end(popen.pid, vm, status))
        self._children.append(child)
        return child

    async def run(self, argv: Sequence[str]) -> Completed:
        """Run a tool to its end; it is killed if the waiting is cancelled.

        :raise SetupError: if the program cannot be started.
        """
        beside = self._directory.parent
        with tempfile.TemporaryFile(dir=beside) as stdout, tempfile.TemporaryFile(dir=beside) as stderr:
            child = self.start(argv, vm=None, stdout=stdout, stderr=stderr)
            try:
                status = await child.wait()
            finally:
                await child.end(politely=False)
                self._children.remove(child)
            done = Completed(tuple(argv), status, _content(stdout), _content(stderr))
            self._trace.note_output(None, done.stdout, done.stderr)
            return done

    async def end_all(self, *, politely: bool) -> None:
        """End every child that still runs, and wait until it has ended."""
        await asyncio.gather(*(child.end(politely=politely) for child in self._children))

    def _note_end(self, pid: int, vm: str | None, status: int) -> None:
        self._guardian.forget_process(pid)
        self._trace.record("exit", vm, status)


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(OUTPUT_LIMIT).decode("utf-8", "replace")
