"""A terminal that lines scroll on, above a few that stay at its bottom and are drawn anew. Imports stream.

Each redraw is one write that overwrites what was there, so nothing flickers. Source: ECMA-48, CPL, EL and ED.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from typing import IO

from run_scenarios.report.stream import LineStream, leave_plain

ERASE_LINE, ERASE_BELOW = "\x1b[K", "\x1b[J"


class Screen(LineStream):
    """Writes lines to a terminal, above its status.

    :param size: returns the columns and lines of the terminal as they are now.
    """

    def __init__(
        self,
        stream: IO[str],
        paint: Callable[[str], str] = leave_plain,
        size: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        super().__init__(stream, paint, is_terminal=True)
        self._size = size or self._ask_size
        self._status: tuple[str, ...] = ()
        self._drawn = 0

    def write(self, *lines: str) -> None:
        """Write lines, above the status.

        :raise OSError: as `LineStream.write` does.
        """
        erase = self._go_up() + ERASE_BELOW if self._drawn else ""
        self._drawn = 0
        self._send(erase + self._painted(lines) + self._draw())

    def show(self, status: Sequence[str]) -> None:
        """Have these lines as the status, each cut to the width of the terminal; none at all leave nothing behind.

        :raise OSError: as `LineStream.write` does.
        """
        self._status = tuple(status)
        if self._status or self._drawn:
            self._send(self._go_up() + self._draw() + ERASE_BELOW)

    def _go_up(self) -> str:
        return f"\x1b[{self._drawn}F" if self._drawn else ""

    def _draw(self) -> str:
        columns, rows = self._size()
        shown = self._status[: max(0, rows - 1)]
        self._drawn = len(shown)
        # The last column stays free: a character there makes some terminals go to the next line.
        return "".join(f"{clip(line, columns - 1)}{ERASE_LINE}\n" for line in shown)

    def _ask_size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return 80, 24
        # A terminal that was told no size says 0.
        return size.columns or 80, size.lines or 24


def clip(text: str, columns: int) -> str:
    """Return a text that fills no more than so many columns, with "…" for what it lost; East Asian letters fill two."""
    room = columns
    for position, char in enumerate(text):
        room -= _width(char)
        if room < 0:
            return _fitting(text[:position], columns - 1) + "…"[:columns]
    return text


def _fitting(text: str, columns: int) -> str:
    while text and sum(map(_width, text)) > columns:
        text = text[:-1]
    return text


def _width(char: str) -> int:
    return 0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
