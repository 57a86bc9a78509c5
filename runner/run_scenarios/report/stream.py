"""Write a report line by line."""

from __future__ import annotations

import contextlib
import errno
import os
import select
from collections.abc import Callable, Sequence
from typing import Protocol


def leave_plain(line: str) -> str:
    """Return a line unchanged."""
    return line


class TextWriter(Protocol):
    """The part of a text file that `LineStream` uses."""

    @property
    def name(self) -> str:
        """Its name in error messages."""

    def write(self, text: str, /) -> object:
        """Write a text."""

    def flush(self) -> None:
        """Write what is buffered."""

    def fileno(self) -> int:
        """Return its descriptor."""


class DescriptorWriter:
    """Writes a text to a descriptor completely, and waits while a non-blocking one is not ready.

    Python's own standard streams drop the rest of a partial write if they are unbuffered, and fail on a non-blocking
    descriptor.
    """

    def __init__(self, descriptor: int, name: str, encoding: str = "utf-8", errors: str = "replace") -> None:
        self.name = name
        self._descriptor = descriptor
        self._encoding = encoding
        self._errors = errors

    def write(self, text: str) -> None:
        """Write a text.

        :raise OSError: if a part of it cannot be written.
        """
        rest = memoryview(text.encode(self._encoding, self._errors))
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor


class ClosedWriter:
    """Stands for a standard stream that was closed when the program started."""

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, text: str) -> None:
        """Refuse to write.

        :raise OSError: always.
        """
        raise OSError(errno.EBADF, "the stream is closed", self.name)

    def flush(self) -> None:
        """Do nothing."""

    def fileno(self) -> int:
        """Refuse to return a descriptor.

        :raise OSError: always.
        """
        raise OSError(errno.EBADF, "the stream is closed", self.name)


class LineStream:
    """Writes and flushes lines; stops silently once the reader has closed its end.

    :param paint: colours a line.
    :param is_terminal: whether the stream is a terminal.
    """

    def __init__(
        self, stream: TextWriter, paint: Callable[[str], str] = leave_plain, *, is_terminal: bool = False
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
