"""A stream that a report is written to, line by line. Imports nothing of ours."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from typing import IO


def leave_plain(line: str) -> str:
    """Return a line as it is."""
    return line


class LineStream:
    """Writes lines, each flushed; once its reader has gone away, it writes nothing more.

    :param paint: puts a line in colours.
    :param is_terminal: whether a person sees it at once.
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

        :raise OSError: if that is not possible for another reason than a reader gone, once.
        """
        self._send(self._painted(lines))

    def _painted(self, lines: Sequence[str]) -> str:
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
        # What the stream still holds would fail a second time when Python exits.
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
