"""Capture the output of a child as it is written, keeping its beginning and its end.

A child that prints without end fills neither memory nor disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

READ_BYTES = 1 << 16
UNREAD_LIMIT = 8 << 20
LOG_LIMIT = 1 << 20
TAIL_BYTES = 4096


class OutputCapture:
    """Reads one output stream of a child, which writes to the file descriptor `writer`.

    :param log: a file to append the output to.
    :raise OSError: if the log cannot be opened.
    """

    def __init__(self, log: Path | None = None) -> None:
        self._log = log.open("ab", buffering=0) if log else None
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        asyncio.get_running_loop().add_reader(self._reader, self._read)
        self._unread = _HeadAndTail(UNREAD_LIMIT)
        self._tail = bytearray()
        self._logged = _HeadAndTail(LOG_LIMIT)
        self._is_open = True

    def take(self) -> str:
        """Return the output since the last call; of a very long one, the beginning and the end."""
        self._drain()
        taken, self._unread = self._unread, _HeadAndTail(UNREAD_LIMIT)
        return taken.decode()

    def tail(self) -> str:
        """Return the end of the whole output."""
        self._drain()
        return self._tail.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Read the rest, then stop reading and complete the log."""
        self._drain()
        self._stop()
        if self._log:
            self._write_log(self._logged.end())
            self._log.close()

    def _drain(self) -> None:
        """Read everything available; from a child that never stops writing, no more than is kept."""
        for _ in range(UNREAD_LIMIT // READ_BYTES):
            if not (self._is_open and self._read()):
                return

    def _read(self) -> bool:
        """Read one chunk, and return whether there was one."""
        try:
            chunk = os.read(self._reader, READ_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._stop()
            return False
        self._unread.add(chunk)
        self._tail = (self._tail + chunk)[-TAIL_BYTES:]
        if self._log:
            self._write_log(self._logged.add(chunk))
        return True

    def _write_log(self, part: bytes) -> None:
        """Append to the log; a full disk cuts it off, which need not fail the case."""
        with contextlib.suppress(OSError):
            assert self._log
            self._log.write(part)

    def _stop(self) -> None:
        if self._is_open:
            self._is_open = False
            asyncio.get_running_loop().remove_reader(self._reader)
            os.close(self._reader)


@dataclass
class _HeadAndTail:
    """The first `limit` bytes of a stream, and its last `TAIL_BYTES`."""

    limit: int
    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    omitted: int = 0

    def add(self, chunk: bytes) -> bytes:
        """Add a chunk, and return the part of it that went into the head."""
        fits = chunk[: self.limit - len(self.head)]
        self.head += fits
        self.tail += chunk[len(fits) :]
        excess = max(0, len(self.tail) - TAIL_BYTES)
        self.omitted += excess
        del self.tail[:excess]
        return fits

    def decode(self) -> str:
        return (self.head + self.end()).decode("utf-8", "replace")

    def end(self) -> bytes:
        """Return everything after the head, with a note if bytes are missing in between."""
        note = b"\n(%d bytes omitted)\n" % self.omitted if self.omitted else b""
        return note + self.tail
