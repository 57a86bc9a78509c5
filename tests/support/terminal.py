"""A pseudo-terminal to run the command in."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

import pyte

from tests.support.command import DEADLINE_S

COLUMNS, LINES = 80, 24


class Terminal:
    """A pseudo-terminal with a program; leaving its context kills the program and closes the terminal."""

    def __init__(self, columns: int = COLUMNS, lines: int = LINES) -> None:
        self.sent = ""
        self.screen = pyte.HistoryScreen(columns, lines, history=1000)
        self._stream = pyte.Stream(self.screen)
        self._master, self._slave = pty.openpty()
        self._popen: subprocess.Popen[bytes] | None = None
        self.resize(columns, lines)

    def start(
        self, argv: Sequence[str], env: Mapping[str, str], *, stdout: int | None = None, stderr: int | None = None
    ) -> None:
        """Start a program, with the terminal for each stream that is not given."""
        self._popen = subprocess.Popen(
            argv,
            stdin=self._slave,
            stdout=self._slave if stdout is None else stdout,
            stderr=self._slave if stderr is None else stderr,
            env={**os.environ, "TERM": "xterm-256color", **env},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(self._slave)

    def wait(self) -> int:
        """Wait for the program without reading its output, and return its exit status."""
        assert self._popen
        return self._popen.wait(DEADLINE_S)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, as a window manager does."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def press(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self._master)
        self._master = -1

    def read_until(self, condition: Callable[[], object], what: str) -> None:
        """Read the output until a condition on the screen holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert self._read(deadline), f"the program ended before {what}:\n{self.text}"

    def read_for(self, text: str) -> None:
        """Read the output until a text is on the screen."""
        self.read_until(lambda: text in self.shown, f"'{text}' is there")

    def finish(self) -> int:
        """Read to the end, and return the program's exit status."""
        assert self._popen
        while self._read(time.monotonic() + DEADLINE_S):
            pass
        return self._popen.wait(DEADLINE_S)

    @property
    def text(self) -> str:
        """The scrollback and the screen, without trailing empty lines."""
        above = ["".join(line[x].data for x in range(self.screen.columns)) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in (*above, *self.screen.display)).rstrip("\n")

    @property
    def shown(self) -> str:
        """The text on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip("\n")

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing came for {DEADLINE_S:g} s; the screen:\n{self.text}"
        try:
            data = os.read(self._master, 1 << 16).decode(errors="replace")
        except OSError:
            return False  # The last program has closed the terminal.
        self.sent += data
        self._stream.feed(data)
        return bool(data)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._popen and self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()
        if self._master >= 0:
            os.close(self._master)
