"""A second process that cleans up after a runner that was killed.

It waits on a pipe whose only writer is the runner, so it notices even SIGKILL. Then it kills the children of the run
and removes its directories.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import warnings
from pathlib import Path

from run_scenarios.qemu.mounts import unmount_below

CASE_VARIABLE = "RUN_SCENARIOS_CASE"
"""The environment variable that holds the directory of its case in every child."""
VARIABLE_PREFIX = f"{CASE_VARIABLE}=".encode()
MAX_SCANS = 20
MAX_WAIT_MS = 1000
"""How long to wait for a killed process; one that is blocked in the kernel does not end."""


class Guardian:
    """The runner's end of the pipe: reports the child processes and directories to clean up."""

    def __init__(self, pipe: int, pid: int) -> None:
        self._pipe = pipe
        self._pid = pid

    @classmethod
    def start(cls) -> Guardian:
        """Fork the second process. This must happen before an event loop is running.

        Python 3.12 warns about forking with other threads running, because a lock may be held. No lock is taken here.
        """
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            try:
                _guard(reader)
            finally:
                os._exit(0)
        os.close(reader)
        return cls(writer, pid)

    def watch_process(self, pid: int) -> None:
        """Have this process group killed if the runner dies.

        Most children would be found by their directory or environment, but a wrapper script may change both.
        """
        self._send(f"+{pid}")

    def forget_process(self, pid: int) -> None:
        """Undo `watch_process`."""
        self._send(f"-{pid}")

    def watch_directory(self, path: Path) -> None:
        """Have this directory removed if the runner dies; the path must be absolute."""
        self._send(f"+{path}")

    def forget_directory(self, path: Path) -> None:
        """Undo `watch_directory`."""
        self._send(f"-{path}")

    def stop(self) -> None:
        """End the second process, which cleans up what is still watched."""
        os.close(self._pipe)
        os.waitpid(self._pid, 0)

    def _send(self, line: str) -> None:
        # A run can go on without its guardian.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, os.fsencode(line) + b"\0")


def _guard(reader: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.setsid()
    os.chdir("/")
    _close_inherited_files(reader)
    watched = _read_until_closed(reader)
    directories = {each for each in watched if each.startswith("/")}
    for pid in map(int, watched - directories):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    for directory in directories:
        kill_processes_of(Path(directory))
        unmount_below(Path(directory))
        shutil.rmtree(directory, ignore_errors=True)


def kill_processes_of(directory: Path, first_pid: int = 0) -> None:
    """Kill every process that works in a directory or was started for it, including daemons in other sessions.

    Waits until each has ended, or `MAX_WAIT_MS`.

    :param first_pid: the lowest process ID that can be one of them.
    """
    path = os.fsencode(directory)
    for _ in range(MAX_SCANS):
        # A process may have started another one just before it was killed.
        killed = [_kill(pid, path) for pid in _list_processes() if pid >= first_pid and _belongs_to(pid, path)]
        ended = [_wait_for_end(pidfd) for pidfd in killed if pidfd is not None]
        if not any(ended):
            return


def _kill(pid: int, directory: bytes) -> int | None:
    """Kill a process and return a pidfd to wait for its end, or None if the process ID has been reused."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    if not _belongs_to(pid, directory):
        os.close(pidfd)
        return None
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    return pidfd


def _wait_for_end(pidfd: int) -> bool:
    """Wait for the end of a killed process, return whether it ended, and close the pidfd."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    has_ended = bool(poll.poll(MAX_WAIT_MS))
    os.close(pidfd)
    return has_ended


def _list_processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208


def _belongs_to(pid: int, directory: bytes) -> bool:
    with contextlib.suppress(OSError):
        if _is_within(os.readlink(b"/proc/%d/cwd" % pid), directory):  # noqa: PTH115
            return True
        with open(b"/proc/%d/environ" % pid, "rb") as environment:  # noqa: PTH123
            values = environment.read().split(VARIABLE_PREFIX)[1:]
        return any(_is_within(value.partition(b"\0")[0], directory) for value in values)
    return False


def _is_within(path: bytes, directory: bytes) -> bool:
    return path == directory or path.startswith(directory + b"/")


def _read_until_closed(reader: int) -> set[str]:
    """Read the runner's messages until it has gone, and return what is still watched."""
    watched: set[str] = set()
    rest = b""
    while chunk := os.read(reader, 65536):
        *lines, rest = (rest + chunk).split(b"\0")
        for line in map(os.fsdecode, lines):
            if line[0] == "+":
                watched.add(line[1:])
            else:
                watched.discard(line[1:])
    return watched


def _close_inherited_files(kept: int) -> None:
    """Close every file of the runner: a reader of its output waits until the last copy is closed."""
    for file in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):
            if int(file.name) != kept:
                os.close(int(file.name))
    for _ in range(3):
        os.open(os.devnull, os.O_RDWR)
