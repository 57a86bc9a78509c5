"""Comments in scenarios that speak to the runner: `# WORD: …`. Imports errors only.

A comment of its own line is about the line after it, one behind something about its own line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from run_scenarios.core.source import LINE_BREAK, Source, Span
from run_scenarios.syntax.line_breaks import replace_unicode_breaks

ALONE = re.compile(r"\s*(#|$)")


@dataclass(frozen=True)
class MarkedComment:
    """One such comment.

    :param text: what stands behind the word.
    :param line: the line that it is about.
    """

    span: Span
    text: str
    line: int


def find_comments(source: Source, word: str) -> Iterator[MarkedComment]:
    """Yield the comments of a file that begin with this word, the first of each line."""
    if f"{word}:" not in source.text:
        return
    mark = re.compile(rf"#\s*{word}:\s*")
    lines = LINE_BREAK.split(source.text)
    texts = list(_texts(source))
    for number, line in enumerate(lines, 1):
        for found in mark.finditer(line):
            if any(begin <= (number, found.start() + 1) < end for begin, end in texts):
                continue
            about = number if not ALONE.match(line) else _next_line(lines, number)
            span = Span(source, number, found.start() + 1, len(line) - found.start())
            yield MarkedComment(span, line[found.end() :].strip(), about)
            break


def _next_line(lines: list[str], number: int) -> int:
    """Return the first line after this one that is not a comment, so that several can stand above one line."""
    for after in range(number, len(lines)):
        if not lines[after].lstrip().startswith("#"):
            return after + 1
    return number


def _texts(source: Source) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield where each scalar begins and ends, for what looks like a comment in it is none."""
    for token in yaml.scan(replace_unicode_breaks(source.text)[0], Loader=yaml.CSafeLoader):
        if isinstance(token, yaml.ScalarToken):
            start, end = token.start_mark, token.end_mark
            yield (start.line + 1, start.column + 1), (end.line + 1, end.column + 1)
