"""Write a report line by line."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from typing import IO


def leave_plain(line: str) -> str:
    """Return a line unchanged."""
    return line


class LineStream:
    """Writes and flushes lines; stops silently once the reader has closed its end.

    :param paint: colours a line.
    :param is_terminal: whether the stream is a terminal.
    """

    def __init__(
        self, stream: IO[str], paint: Callable[[str], str] = leave_plain, *, is_terminal: bool = False
    ) -> None:
        self._stream = stream
        self._paint = paint
        self.is_terminal = is_terminal
        self.closed = False

    def write(self, *lines: str) -> None:
        """Write lines.

        :raise OSError: on the first error other than a closed reader.
        """
        self._send(self._paint_lines(lines))

    def _paint_lines(self, lines: Sequence[str]) -> str:
        return "".join(f"{self._paint(part)}\n" for line in lines for part in line.split("\n"))

    def _send(self, text: str) -> None:
        if self.closed:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as error:
            self._close()
            hung_up = self.is_terminal and error.errno == errno.EIO
            if not isinstance(error, BrokenPipeError) and not hung_up:
                raise OSError(error.errno, error.strerror, self._stream.name) from None

    def _close(self) -> None:
        self.closed = True
        # Python flushes the stream when it exits, which would fail a second time.
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
