"""Start child processes, wait for their end, and leave none behind.

Linux only: a pidfd reports the end of a child, without threads and without polling.
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

from run_scenarios.core.diagnostics import escape_unprintable
from run_scenarios.core.errors import SetupError, StepFailed, describe_os_error
from run_scenarios.qemu.guardian import CASE_VARIABLE, Guardian, kill_processes_of
from run_scenarios.qemu.output_capture import OutputCapture
from run_scenarios.qemu.trace import Trace

FIXED_ENVIRONMENT = {b"LC_ALL": b"C", b"QEMU_AUDIO_DRV": b"none"}
"""Untranslated messages, and no sound: before 8.2, QEMU uses the host's sound by default."""


class Child:
    """A child process, leader of its own session.

    :param name: the name in messages.
    :param on_exit: called with the exit status before any `wait` returns.
    """

    def __init__(
        self,
        name: str,
        popen: subprocess.Popen[bytes],
        stdout: OutputCapture,
        stderr: OutputCapture,
        on_exit: Callable[[int], None],
    ) -> None:
        self.name = name
        self.stdout = stdout
        self.stderr = stderr
        self.pid = popen.pid
        self._popen = popen
        self._on_exit = on_exit
        loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[int] = loop.create_future()
        self._pidfd = os.pidfd_open(popen.pid)
        loop.add_reader(self._pidfd, self._reap)

    @property
    def exitcode(self) -> int | None:
        """The exit status, or minus the number of the signal that killed it; None while it runs."""
        return self._exited.result() if self._exited.done() else None

    @property
    def is_running(self) -> bool:
        """Whether it has not been reaped yet."""
        return self.exitcode is None

    @property
    def has_exited(self) -> bool:
        """Whether it has exited, even if it has not been reaped yet."""
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return self._exited.done() or os.waitid(os.P_PID, self.pid, flags) is not None

    async def wait(self) -> int:
        """Wait for the child to exit, and return its `exitcode`."""
        return await asyncio.shield(self._exited)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the child and its process group, unless it has exited."""
        if not self._exited.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def terminate(self) -> int:
        """Send SIGTERM and wait, without limit, for the child to exit; return its `exitcode`."""
        self.send_signal(signal.SIGTERM)
        return await self.wait()

    async def kill(self) -> int:
        """Send SIGKILL and return the `exitcode`."""
        self.send_signal(signal.SIGKILL)
        return await self.wait()

    def _reap(self) -> None:
        # Kill the rest of its process group first: until the child is waited for, its number cannot be reused.
        self.send_signal(signal.SIGKILL)
        status = self._popen.wait()
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.stdout.close()
        self.stderr.close()
        self._on_exit(status)
        self._exited.set_result(status)


@dataclass(frozen=True)
class CompletedTool:
    """A finished tool: its command line, exit status and output."""

    argv: tuple[str, ...]
    exitcode: int
    stdout: str
    stderr: str

    @property
    def command(self) -> str:
        """The command line, quoted for a shell."""
        return shlex.join(self.argv)


class ChildProcesses:
    """Starts the children of one case in its directory, and records them in its trace."""

    def __init__(self, directory: Path, trace: Trace, guardian: Guardian) -> None:
        self._directory = directory
        self._trace = trace
        self._guardian = guardian
        self._children: list[Child] = []
        self._first_pid = 0
        # Bytes, because subprocess would encode text again for each child.
        self._environment = {**os.environb, **FIXED_ENVIRONMENT}
        # QEMU creates the temporary file of a snapshot in TMPDIR.
        self._environment |= {b"TMPDIR": os.fsencode(directory), CASE_VARIABLE.encode(): os.fsencode(directory)}

    def start(
        self, argv: Sequence[str], *, vm: str | None, log: Path | None = None, pass_fds: Sequence[int] = ()
    ) -> Child:
        """Start a child in the case's directory, in its own session so that Ctrl-C does not reach it.

        :param vm: the VM that the trace records it under.
        :param log: path prefix of the files `LOG.stdout` and `LOG.stderr` for its output.
        :raise SetupError: if the program cannot be started.
        :raise StepFailed: for an argument with a NUL character, which no program can be given.
        """
        for each in argv:
            if "\0" in each:
                raise StepFailed(f"{argv[0]}: an argument contains a NUL character: {escape_unprintable(each)}")
        self._trace.record_traffic("exec", vm, list(argv))
        stdout, stderr = (OutputCapture(Path(f"{log}.{name}") if log else None) for name in ("stdout", "stderr"))
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
        child = Child(name, popen, stdout, stderr, lambda status: self._record_exit(popen.pid, vm, status))
        self._children.append(child)
        self._first_pid = self._first_pid or popen.pid
        return child

    async def run(self, argv: Sequence[str]) -> CompletedTool:
        """Run a tool and wait for it to exit; cancellation kills it.

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
        """Send SIGTERM to every running child, and wait, without limit, for all to exit."""
        await asyncio.gather(*(child.terminate() for child in self._children))

    async def kill_all(self) -> None:
        """Kill every running child, and every process that children have left behind."""
        await asyncio.gather(*(child.kill() for child in self._children))
        if self._first_pid:
            kill_processes_of(self._directory, first_pid=self._first_pid)

    @property
    def running(self) -> list[str]:
        """The names of the running children."""
        return [child.name for child in self._children if child.is_running]

    def _record_exit(self, pid: int, vm: str | None, status: int) -> None:
        self._guardian.forget_process(pid)
        self._trace.record_traffic("exit", vm, status)
