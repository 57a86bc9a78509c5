"""A stream that a report is written to, line by line. Imports nothing of ours."""

from __future__ import annotations

import contextlib
import os
from typing import IO


class LineStream:
    """Writes lines, each flushed; once its reader has gone away, it writes nothing more."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.closed = False

    def write(self, *lines: str) -> None:
        """Write lines.

        :raise OSError: if that is not possible for another reason than a reader gone, once.
        """
        if self.closed:
            return
        try:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()
        except OSError as error:
            self._close()
            if not isinstance(error, BrokenPipeError):
                raise

    def _close(self) -> None:
        self.closed = True
        # What the stream still holds would fail a second time when Python exits.
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
