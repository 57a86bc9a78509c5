"""Write lines to a terminal above a status that stays at the bottom.

Each redraw is a single write that overwrites the old status, so that nothing flickers. Source: ECMA-48, CPL, EL and ED.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence

from run_scenarios.report.stream import LineStream, TextWriter, leave_plain

ERASE_LINE, ERASE_BELOW = "\x1b[K", "\x1b[J"


class Screen(LineStream):
    """Writes lines to a terminal, above its status.

    :param size: returns the current columns and lines of the terminal.
    """

    def __init__(
        self,
        stream: TextWriter,
        paint: Callable[[str], str] = leave_plain,
        size: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        super().__init__(stream, paint, is_terminal=True)
        self._size = size or self._query_size
        self._status: tuple[str, ...] = ()
        self._drawn = 0

    def write(self, *lines: str) -> None:
        """Write lines, above the status.

        :raise OSError: as `LineStream.write` does.
        """
        erase = self._move_to_status() + ERASE_BELOW if self._drawn else ""
        self._drawn = 0
        self._send(erase + self._paint_lines(lines) + self._format_status())

    def show(self, status: Sequence[str]) -> None:
        """Replace the status, cutting each line to the width of the terminal; no lines remove it.

        :raise OSError: as `LineStream.write` does.
        """
        self._status = tuple(status)
        if self._status or self._drawn:
            self._send(self._move_to_status() + self._format_status() + ERASE_BELOW)

    def _move_to_status(self) -> str:
        return f"\x1b[{self._drawn}F" if self._drawn else ""

    def _format_status(self) -> str:
        columns, rows = self._size()
        shown = self._status[: max(0, rows - 1)]
        self._drawn = len(shown)
        # Leave the last column free: some terminals wrap after a character there.
        return "".join(f"{clip(line, columns - 1)}{ERASE_LINE}\n" for line in shown)

    def _query_size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return 80, 24
        # A terminal without a known size reports 0.
        return size.columns or 80, size.lines or 24


def clip(text: str, columns: int) -> str:
    """Cut a text to a number of columns, ending with "…" if cut; wide East Asian characters take two columns."""
    room = columns
    for position, char in enumerate(text):
        room -= _width(char)
        if room < 0:
            return _cut(text[:position], columns - 1) + "…"[:columns]
    return text


def _cut(text: str, columns: int) -> str:
    while text and sum(map(_width, text)) > columns:
        text = text[:-1]
    return text


def _width(char: str) -> int:
    return 0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
