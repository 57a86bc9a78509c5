"""Scenario files and positions in them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

LINE_BREAK = re.compile("\r\n|[\n\r]")


@lru_cache(maxsize=8)
def _lines(text: str) -> list[str]:
    return LINE_BREAK.split(text)


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a scenario file and its path as the user gave it."""

    path: str
    text: str = field(repr=False)

    def line(self, number: int) -> str:
        """Return line `number`, counted from 1, without its line break; "" if there is no such line."""
        lines = _lines(self.text)
        return lines[number - 1] if 1 <= number <= len(lines) else ""


class Span(NamedTuple):
    """Part of one line of a file: line and column counted from 1, width in characters."""

    source: Source
    line: int
    column: int
    width: int = 1

    def __str__(self) -> str:
        return f"{self.source.path}:{self.line}:{self.column}"


def find_end(text: str) -> tuple[int, int]:
    """Return the line and column behind a text, counted from 1."""
    lines = LINE_BREAK.split(text)
    return len(lines), len(lines[-1]) + 1


def make_span(source: Source, line: int, column: int, width: int) -> Span:
    """Return a span in half the time that `Span(...)` takes: every value of every file has one."""
    return tuple.__new__(Span, (source, line, column, width))
