"""Comments that silence a rule on a line: `# lint: RS004 the reason`. Imports rules.

A comment of its own line is about the line after it, one behind something about its own line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import yaml

from runner.errors import LINE_BREAK, Diagnostic, Source, Span, did_you_mean
from runner.lint.rules import BY_CODE, NO_REASON, NOT_NEEDED, UNKNOWN_CODE

MARK = re.compile(r"#\s*lint:\s*")
WORDS = re.compile(r"(\S*)\s*(.*?)\s*$")
ALONE = re.compile(r"\s*(#|$)")


@dataclass(frozen=True)
class Comment:
    """One silencing comment.

    :param line: the line that it is about.
    """

    span: Span
    code: str
    reason: str
    line: int

    def is_about(self, finding: Diagnostic) -> bool:
        """Tell whether it silences this finding."""
        return finding.code == self.code and finding.span.line == self.line


def silence(source: Source, findings: list[Diagnostic]) -> list[Diagnostic]:
    """Return the findings in a file that no comment there silences, and what is wrong with the comments."""
    comments = list(_comments(source)) if "lint:" in source.text else []
    kept = [each for each in findings if not any(comment.is_about(each) for comment in comments)]
    return [*kept, *(wrong for comment in comments for wrong in _wrong(comment, findings))]


def _wrong(comment: Comment, findings: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    if comment.code not in BY_CODE:
        message = f"there is no rule '{comment.code}'" if comment.code else "this comment names no rule"
        hint = did_you_mean(comment.code.upper(), BY_CODE, "for instance '# lint: RS007 the reason'")
        yield UNKNOWN_CODE.diagnostic(comment.span, message, hint)
        return
    if not any(comment.is_about(each) for each in findings):
        message = f"this comment silences nothing: line {comment.line} does not break {comment.code}"
        yield NOT_NEEDED.diagnostic(comment.span, message, "remove it, or put it on the line or the one above")
    if not comment.reason:
        yield NO_REASON.diagnostic(comment.span, "this comment gives no reason", f"# lint: {comment.code} the reason")


def _comments(source: Source) -> Iterator[Comment]:
    lines = LINE_BREAK.split(source.text)
    texts = list(_texts(source))
    for number, line in enumerate(lines, 1):
        for mark in MARK.finditer(line):
            if any(begin <= (number, mark.start() + 1) < end for begin, end in texts):
                continue
            about = number if not ALONE.match(line) else _next_line(lines, number)
            words = WORDS.match(line, mark.end())
            assert words, "it matches anything"
            span = Span(source, number, mark.start() + 1, len(line) - mark.start())
            yield Comment(span, words[1], words[2], about)
            break


def _next_line(lines: list[str], number: int) -> int:
    """Return the first line after this one that is not a comment, so that several can stand above one line."""
    for after in range(number, len(lines)):
        if not lines[after].lstrip().startswith("#"):
            return after + 1
    return number


def _texts(source: Source) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield where each scalar begins and ends, for what looks like a comment in it is none."""
    for token in yaml.scan(source.text, Loader=yaml.CSafeLoader):
        if isinstance(token, yaml.ScalarToken):
            start, end = token.start_mark, token.end_mark
            yield (start.line + 1, start.column + 1), (end.line + 1, end.column + 1)
