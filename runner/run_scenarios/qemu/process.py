"""Start children, wait for them, end them, and leave none behind. Imports errors, output, trace and watch.

Linux only: a child's end is seen through its pidfd, without threads and without polling.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from run_scenarios.core.errors import SetupError, describe_os_error
from run_scenarios.qemu.fd_watcher import Watch
from run_scenarios.qemu.guardian import CASE_VARIABLE, Guardian, kill_processes_of
from run_scenarios.qemu.output_capture import OutputCapture
from run_scenarios.qemu.trace import Trace


class Child:
    """A running child process, leader of its own session.

    :param name: how to speak of it.
    :param stdout: what it prints; `stderr` what it complains of.
    :param watch: tells when it ends.
    :param note_end: called with its status as it ends, before anybody who waits for it goes on.
    """

    def __init__(
        self,
        name: str,
        popen: subprocess.Popen[bytes],
        stdout: OutputCapture,
        stderr: OutputCapture,
        watch: Watch,
        note_end: Callable[[int], None],
    ) -> None:
        self.name = name
        self.stdout = stdout
        self.stderr = stderr
        self._popen = popen
        self._note_end = note_end
        self.pid = popen.pid
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pidfd = os.pidfd_open(popen.pid)
        self._watch = watch
        watch.add(self._pidfd, self._reap)

    @property
    def exitcode(self) -> int | None:
        """The exit status, minus the signal's number if one killed it, or None while it runs."""
        return self._ended.result() if self._ended.done() else None

    @property
    def is_running(self) -> bool:
        """Whether it has not been reaped yet."""
        return self.exitcode is None

    @property
    def has_exited(self) -> bool:
        """Whether it has ended, even if its status is not here yet."""
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return self._ended.done() or os.waitid(os.P_PID, self.pid, ended) is not None

    async def wait(self) -> int:
        """Wait for the end of the child and return its `status`."""
        return await asyncio.shield(self._ended)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the child and to whatever it started; nothing happens if it has ended."""
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def terminate(self) -> int:
        """Ask the child to end, with SIGTERM, and return its status once it has; that may be never."""
        self.send_signal(signal.SIGTERM)
        return await self.wait()

    async def kill(self) -> int:
        """End the child with SIGKILL and return its status."""
        self.send_signal(signal.SIGKILL)
        return await self.wait()

    def _reap(self) -> None:
        # Whatever it started goes with it; until it is waited for, nobody else can have its number.
        self.send_signal(signal.SIGKILL)
        status = self._popen.wait()
        self._watch.remove(self._pidfd)
        os.close(self._pidfd)
        self.stdout.close()
        self.stderr.close()
        self._note_end(status)
        self._ended.set_result(status)


OWN_ENVIRONMENT = {b"LC_ALL": b"C", b"QEMU_AUDIO_DRV": b"none"}
"""Untranslated messages, and no sound: before 8.2, QEMU gives a sound device the host's by default."""


@dataclass(frozen=True)
class CompletedTool:
    """How a tool ended: its argv, status, and what it printed."""

    argv: tuple[str, ...]
    exitcode: int
    stdout: str
    stderr: str

    @property
    def command(self) -> str:
        """The command as one would type it."""
        return shlex.join(self.argv)


class ChildProcesses:
    """Starts the children of one case in its directory, and records them in its trace."""

    def __init__(self, directory: Path, trace: Trace, guardian: Guardian) -> None:
        self._directory = directory
        self._trace = trace
        self._guardian = guardian
        self._children: list[Child] = []
        self._first = 0
        self._watch = Watch()
        # As bytes, for it is the same for every child, and each would encode it again.
        self._environment = {**os.environb, **OWN_ENVIRONMENT}
        # QEMU puts the temporary file of a snapshot there.
        self._environment |= {b"TMPDIR": os.fsencode(directory), CASE_VARIABLE.encode(): os.fsencode(directory)}

    def start(
        self, argv: Sequence[str], *, vm: str | None, log: Path | None = None, pass_fds: Sequence[int] = ()
    ) -> Child:
        """Start a child in the case's directory, in a session of its own so that Ctrl-C reaches only us.

        :param vm: the name that its records in the trace carry.
        :param log: where what it prints is kept, as `LOG.stdout` and `LOG.stderr`.
        :raise SetupError: if the program cannot be started.
        """
        self._trace.record_traffic("exec", vm, list(argv))
        stdout, stderr = (
            OutputCapture(self._watch, Path(f"{log}.{name}") if log else None) for name in ("stdout", "stderr")
        )
        try:
            popen = subprocess.Popen(
                argv,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout.writer,
                stderr=stderr.writer,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        except OSError as error:
            stdout.close()
            stderr.close()
            raise SetupError(f"cannot start {argv[0]}: {describe_os_error(error)}") from None
        finally:
            os.close(stdout.writer)
            os.close(stderr.writer)
        self._guardian.watch_process(popen.pid)
        name = vm or Path(argv[0]).name
        child = Child(name, popen, stdout, stderr, self._watch, lambda status: self._note_end(popen.pid, vm, status))
        self._children.append(child)
        self._first = self._first or popen.pid
        return child

    async def run(self, argv: Sequence[str]) -> CompletedTool:
        """Run a tool to its end; it is killed if the waiting is cancelled.

        :raise SetupError: if the program cannot be started.
        """
        child = self.start(argv, vm=None)
        try:
            status = await child.wait()
        finally:
            await child.kill()
            self._children.remove(child)
        done = CompletedTool(tuple(argv), status, child.stdout.take(), child.stderr.take())
        self._trace.record_output(None, done.stdout, done.stderr)
        return done

    async def terminate_all(self) -> None:
        """Ask every child that still runs to end, and wait until it has; that may be never."""
        await asyncio.gather(*(child.terminate() for child in self._children))

    async def kill_all(self) -> None:
        """End every child that still runs, and what children have started and let go of; wait for the former."""
        await asyncio.gather(*(child.kill() for child in self._children))
        self._watch.close()
        if self._first:
            kill_processes_of(self._directory, first_pid=self._first)

    @property
    def running(self) -> list[str]:
        """The names of the children that run."""
        return [child.name for child in self._children if child.exitcode is None]

    def _note_end(self, pid: int, vm: str | None, status: int) -> None:
        self._guardian.forget_process(pid)
        self._trace.record_traffic("exit", vm, status)
