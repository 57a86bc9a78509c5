"""Files and places in them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


@lru_cache(maxsize=8)
def _lines(text: str) -> list[str]:
    return LINE_BREAK.split(text)


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one scenario file, under the name the user gave."""

    path: str
    text: str = field(repr=False)

    def line(self, number: int) -> str:
        """Return line `number` (from 1) without its end, or "" where there is none."""
        lines = _lines(self.text)
        return lines[number - 1] if 1 <= number <= len(lines) else ""


class Span(NamedTuple):
    """A piece of one line of a file: line and column count from 1, width in characters."""

    source: Source
    line: int
    column: int
    width: int = 1

    def __str__(self) -> str:
        return f"{self.source.path}:{self.line}:{self.column}"


def make_span(source: Source, line: int, column: int, width: int) -> Span:
    """Return a span in half the time that `Span(...)` takes: every value of every file has one."""
    return tuple.__new__(Span, (source, line, column, width))
