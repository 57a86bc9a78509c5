"""A second process that ends the children and removes the directories of a run that was killed outright.

It waits on a pipe whose only writer is the runner, so it notices even SIGKILL. Imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from pathlib import Path


class Guardian:
    """The runner's end: tells the second process what would be left behind."""

    def __init__(self, pipe: int, pid: int) -> None:
        self._pipe = pipe
        self._pid = pid

    @classmethod
    def start(cls) -> Guardian:
        """Fork the second process. Must happen before any thread or event loop."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                _guard(reader)
            finally:
                os._exit(0)
        os.close(reader)
        return cls(writer, pid)

    def watch_process(self, pid: int) -> None:
        """Have this process group killed if the runner dies."""
        self._tell(f"+p {pid}")

    def forget_process(self, pid: int) -> None:
        """Take back `watch_process`."""
        self._tell(f"-p {pid}")

    def watch_directory(self, path: Path) -> None:
        """Have this directory removed if the runner dies; its path must be absolute."""
        self._tell(f"+d {path}")

    def forget_directory(self, path: Path) -> None:
        """Take back `watch_directory`."""
        self._tell(f"-d {path}")

    def stop(self) -> None:
        """End the second process; what is still watched goes."""
        os.close(self._pipe)
        os.waitpid(self._pid, 0)

    def _tell(self, line: str) -> None:
        # A guardian that was killed itself is no reason to fail the run.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, os.fsencode(line) + b"\0")


def _guard(reader: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.setsid()
    os.chdir("/")
    _release_files(reader)
    watched = _watched_at_the_end(reader)
    for kind, name in watched:
        if kind == "p":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(name), signal.SIGKILL)
    for kind, name in watched:
        if kind == "d":
            _kill_those_in(Path(name))
            shutil.rmtree(name, ignore_errors=True)


def _kill_those_in(directory: Path) -> None:
    """Kill what works in a directory: the runner may have died between starting a process and telling us."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(directory):
                os.kill(int(process.name), signal.SIGKILL)


def _watched_at_the_end(reader: int) -> set[tuple[str, str]]:
    """Follow what the runner tells until it has gone, and return what is left to clean up."""
    watched: set[tuple[str, str]] = set()
    rest = b""
    while chunk := os.read(reader, 65536):
        *lines, rest = (rest + chunk).split(b"\0")
        for line in map(os.fsdecode, lines):
            thing = (line[1], line[3:])
            if line[0] == "+":
                watched.add(thing)
            else:
                watched.discard(thing)
    return watched


def _release_files(kept: int) -> None:
    """Let go of every file of the runner, or whoever reads its output to the end would wait for us as well."""
    for file in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):
            if int(file.name) != kept:
                os.close(int(file.name))
    for _ in range(3):
        os.open(os.devnull, os.O_RDWR)
