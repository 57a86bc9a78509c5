"""What a child prints: read as it comes; no more is kept of it than its beginning and its end. Imports watch.

A child that prints without end fills neither memory nor disk: it waits, as anybody does who writes into a pipe.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from run_scenarios.qemu.fd_watcher import Watch

READ_BYTES = 1 << 16
UNREAD_LIMIT = 8 << 20
LOG_LIMIT = 1 << 20
TAIL_BYTES = 4096


class OutputCapture:
    """One stream of a child, which writes it to `writer`.

    :param watch: tells when there is something to read.
    :param log: the file that it is added to.
    :raise OSError: if that cannot be opened.
    """

    def __init__(self, watch: Watch, log: Path | None = None) -> None:
        self._log = log.open("ab", buffering=0) if log else None
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._watch = watch
        watch.add(self._reader, self._read)
        self._unread = _Ends(UNREAD_LIMIT)
        self._tail = bytearray()
        self._logged = _Ends(LOG_LIMIT)
        self._open = True

    def take(self) -> str:
        """Return what has come since this was last asked; of very much, the beginning and the end."""
        self._drain()
        taken, self._unread = self._unread, _Ends(UNREAD_LIMIT)
        return taken.text()

    def tail(self) -> str:
        """Return the end of all that has come."""
        self._drain()
        return self._tail.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Read what is left, and no further."""
        self._drain()
        self._stop()
        if self._log:
            self._write(self._logged.end())
            self._log.close()

    def _drain(self) -> None:
        """Read what is there; of a child that never stops, as much as is kept."""
        for _ in range(UNREAD_LIMIT // READ_BYTES):
            if not (self._open and self._read()):
                return

    def _read(self) -> bool:
        """Read a piece, and tell whether there was one."""
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
            self._write(self._logged.add(chunk))
        return True

    def _write(self, part: bytes) -> None:
        """A log that does not fit on the disk ends there; what the case is about may well go on."""
        with contextlib.suppress(OSError):
            assert self._log
            self._log.write(part)

    def _stop(self) -> None:
        if self._open:
            self._open = False
            self._watch.remove(self._reader)
            os.close(self._reader)


@dataclass
class _Ends:
    """The beginning of what comes, up to `limit` bytes, and its end."""

    limit: int
    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    left_out: int = 0

    def add(self, chunk: bytes) -> bytes:
        """Add a piece, and return what of it belongs to the beginning."""
        fits = chunk[: self.limit - len(self.head)]
        self.head += fits
        self.tail += chunk[len(fits) :]
        too_much = max(0, len(self.tail) - TAIL_BYTES)
        self.left_out += too_much
        del self.tail[:too_much]
        return fits

    def text(self) -> str:
        return (self.head + self.end()).decode("utf-8", "replace")

    def end(self) -> bytes:
        """Return what comes behind the beginning."""
        note = b"\n(%d bytes left out)\n" % self.left_out if self.left_out else b""
        return note + self.tail
