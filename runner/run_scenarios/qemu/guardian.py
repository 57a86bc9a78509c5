"""A second process that ends the children and removes the directories of a run that was killed outright.

It waits on a pipe whose only writer is the runner, so it notices even SIGKILL. Directories are told through the pipe.
Children come and go too often for that, each message would wake it up: they are in memory that both share, for it to
look at in the end. Imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import shutil
import signal
import warnings
from pathlib import Path

MOST_PROCESSES = 1 << 16
"""How many children can be watched at a time; the memory for them is only taken as it is used."""
CASE_VARIABLE = "RUN_SCENARIOS_CASE"
"""What every child has in its environment: the directory of its case."""
MARK = f"{CASE_VARIABLE}=".encode()
MOST_SCANS = 20
MOST_WAITING_MS = 1000
"""How long a process that was killed is waited for; it ends as soon as it gets a processor, if at all."""


class Guardian:
    """The runner's end: tells the second process what would be left behind."""

    def __init__(self, pipe: int, pid: int, table: memoryview) -> None:
        self._pipe = pipe
        self._pid = pid
        self._table = table
        self._places: dict[int, int] = {}
        self._free: list[int] = []

    @classmethod
    def start(cls) -> Guardian:
        """Fork the second process. Must happen before any event loop; threads of others do no harm.

        Python 3.12 warns of them, for one may hold a lock in which the second process would hang. That takes none.
        """
        reader, writer = os.pipe()
        table = memoryview(mmap.mmap(-1, 4 * MOST_PROCESSES)).cast("i")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            try:
                _guard(reader, table)
            finally:
                os._exit(0)
        os.close(reader)
        return cls(writer, pid, table)

    def watch_process(self, pid: int) -> None:
        """Have this process group killed if the runner dies."""
        place = self._places[pid] = self._free.pop() if self._free else len(self._places)
        self._table[place] = pid

    def forget_process(self, pid: int) -> None:
        """Take back `watch_process`."""
        place = self._places.pop(pid)
        self._table[place] = 0
        self._free.append(place)

    def watch_directory(self, path: Path) -> None:
        """Have this directory removed if the runner dies; its path must be absolute."""
        self._tell(f"+{path}")

    def forget_directory(self, path: Path) -> None:
        """Take back `watch_directory`."""
        self._tell(f"-{path}")

    def stop(self) -> None:
        """End the second process; what is still watched goes."""
        os.close(self._pipe)
        os.waitpid(self._pid, 0)

    def _tell(self, line: str) -> None:
        # A guardian that was killed itself is no reason to fail the run.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, os.fsencode(line) + b"\0")


def _guard(reader: int, table: memoryview) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.setsid()
    os.chdir("/")
    _release_files(reader)
    directories = _directories_in_the_end(reader)
    for pid in filter(None, table):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    for directory in directories:
        kill_processes_of(Path(directory))
        shutil.rmtree(directory, ignore_errors=True)


def kill_processes_of(directory: Path, first_pid: int = 0) -> None:
    """Kill what works in a directory, or was started for it and has let go of its session, as daemons do.

    It waits until they have ended, but not forever for one that the kernel does not let go.

    :param first_pid: the number of a process that was started before any of those.
    """
    place = os.fsencode(directory)
    for _ in range(MOST_SCANS):
        # What has been killed may have started another just before.
        killed = [_killed(pid, place) for pid in _processes() if pid >= first_pid and _is_of(pid, place)]
        ended = [_has_ended(handle) for handle in killed if handle is not None]
        if not any(ended):
            return


def _killed(pid: int, place: bytes) -> int | None:
    """Kill a process if it still is one of those, and return a handle to wait for its end."""
    try:
        # From here on the number can mean no other process.
        handle = os.pidfd_open(pid)
    except OSError:
        return None
    if not _is_of(pid, place):
        os.close(handle)
        return None
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    return handle


def _has_ended(handle: int) -> bool:
    """Wait for the end of a process that was killed, tell whether it came, and close the handle."""
    end = select.poll()
    end.register(handle, select.POLLIN)
    ended = bool(end.poll(MOST_WAITING_MS))
    os.close(handle)
    return ended


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208


def _is_of(pid: int, place: bytes) -> bool:
    with contextlib.suppress(OSError):
        if _is_within(os.readlink(b"/proc/%d/cwd" % pid), place):  # noqa: PTH115
            return True
        with open(b"/proc/%d/environ" % pid, "rb") as environment:  # noqa: PTH123
            marks = environment.read().split(MARK)[1:]
        return any(_is_within(mark.partition(b"\0")[0], place) for mark in marks)
    return False


def _is_within(path: bytes, directory: bytes) -> bool:
    return path == directory or path.startswith(directory + b"/")


def _directories_in_the_end(reader: int) -> set[str]:
    """Follow what the runner tells until it has gone, and return the directories that are left to remove."""
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


def _release_files(kept: int) -> None:
    """Let go of every file of the runner, or whoever reads its output to the end would wait for us as well."""
    for file in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):
            if int(file.name) != kept:
                os.close(int(file.name))
    for _ in range(3):
        os.open(os.devnull, os.O_RDWR)
