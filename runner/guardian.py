"""A second process that ends the children and removes the directories of a run that was killed outright.

It waits on a pipe whose only writer is the runner, so it notices even SIGKILL. Imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
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
            os.close(writer)
            os.setsid()
            _guard(reader)
        os.close(reader)
        return cls(writer, pid)

    def watch_process(self, pid: int) -> None:
        """Have this process group killed if the runner dies."""
        self._tell(f"+p {pid}")

    def forget_process(self, pid: int) -> None:
        """Take back `watch_process`."""
        self._tell(f"-p {pid}")

    def watch_directory(self, path: Path) -> None:
        """Have this directory removed if the runner dies."""
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
            os.write(self._pipe, os.fsencode(line.replace("\n", "") + "\0"))


def _guard(reader: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    _release_output()
    watched: set[tuple[str, str]] = set()
    with os.fdopen(reader, "rb") as pipe:
        rest = b""
        while chunk := os.read(pipe.fileno(), 65536):
            *lines, rest = (rest + chunk).split(b"\0")
            for line in map(os.fsdecode, lines):
                thing = (line[1], line[3:])
                if line[0] == "+":
                    watched.add(thing)
                else:
                    watched.discard(thing)
    for kind, name in sorted(watched, reverse=True):
        if kind == "p":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(name), signal.SIGKILL)
        else:
            shutil.rmtree(name, ignore_errors=True)
    os._exit(0)


def _release_output() -> None:
    """Let go of the runner's standard streams, or whoever reads them would wait for us as well."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(null, stream.fileno())
