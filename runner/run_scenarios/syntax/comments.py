"""Find comments of the form `# MARKER: text`, which suppress findings.

A comment on a line of its own applies to the next line, any other to its own line.
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
    """A comment that begins with a marker.

    :param text: the text after the marker.
    :param line: the number of the line to which it applies.
    """

    span: Span
    text: str
    line: int


def find_comments(source: Source, marker: str) -> Iterator[MarkedComment]:
    """Yield the comments that begin with a marker, at most one for each line."""
    if f"{marker}:" not in source.text:
        return
    pattern = re.compile(rf"#\s*{marker}:\s*")
    lines = LINE_BREAK.split(source.text)
    scalars = list(_locate_scalars(source))
    for number, line in enumerate(lines, 1):
        for found in pattern.finditer(line):
            if any(begin <= (number, found.start() + 1) < end for begin, end in scalars):
                continue
            about = number if not ALONE.match(line) else _find_next_line(lines, number)
            span = Span(source, number, found.start() + 1, len(line) - found.start())
            yield MarkedComment(span, line[found.end() :].strip(), about)
            break


def _find_next_line(lines: list[str], number: int) -> int:
    """Return the number of the next line that is not a comment: several comments can apply to one line."""
    for after in range(number, len(lines)):
        if not lines[after].lstrip().startswith("#"):
            return after + 1
    return number


def _locate_scalars(source: Source) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield the start and end of each scalar, in which `#` does not begin a comment."""
    for token in yaml.scan(replace_unicode_breaks(source.text)[0], Loader=yaml.CSafeLoader):
        if isinstance(token, yaml.ScalarToken):
            start, end = token.start_mark, token.end_mark
            yield (start.line + 1, start.column + 1), (end.line + 1, end.column + 1)
