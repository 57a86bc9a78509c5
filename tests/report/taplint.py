"""A linter for the subset of TAP 13 that our reports keep to, which every consumer reads alike.

The version, the plan on line 2, numbered points, a directive only where it means what it says, below a point at most
one block of plain YAML, comments only for the file that the next points are from, and nothing after `Bail out!`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TEXT = r"[^#\\\s](?:[^#\\]*[^#\\\s])?"
PLAN = re.compile(rf"1\.\.(?:[1-9]\d*|0 # SKIP {TEXT})")
POINT = re.compile(rf"(?P<not>not )?ok (?P<number>\d+) - (?P<name>{TEXT})(?: # (?P<directive>SKIP|TODO) {TEXT})?")
COMMENT = re.compile(rf"# {TEXT}")
BAIL_OUT = re.compile(rf"Bail out! {TEXT}")
STRING = r'"(?:[^"\\]|\\["\\nt]|\\x[0-9a-f]{2}|\\u[0-9a-f]{4})*"'
ENTRY = re.compile(rf"(?P<indent>(?:  )+)(?P<item>- )?[a-z_]+:(?P<value> (?:-?\d+(?:\.\d+)?|true|false|{STRING}))?")
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def lint(report: str) -> list[str]:
    """Return the problems of a report, each with its line number."""
    return [f"{number}: {problem}" for number, problem in _Linter().check(report)]


class _Linter:
    def __init__(self) -> None:
        self.points = 0
        self.names: set[str] = set()
        self.previous = ""
        self.depth = 0

    def check(self, report: str) -> Iterator[tuple[int, str]]:
        lines = report.split("\n")
        if lines.pop():
            yield len(lines) + 1, "the last line has no end"
        if lines[:1] != ["TAP version 13"]:
            yield 1, "not the version"
        if len(lines) < 2 or not PLAN.fullmatch(lines[1]):
            yield 2, "not the plan"
        for number, line in enumerate(lines[2:], 3):
            for problem in self._line(line):
                yield number, problem
        if self.depth:
            yield len(lines), "the YAML block has no end"
        planned = lines[1].removeprefix("1..").split(" ")[0] if len(lines) > 1 else "?"
        if planned != str(self.points):
            yield len(lines), f"{planned} points planned, {self.points} printed"

    def _line(self, line: str) -> Iterator[str]:
        if FORBIDDEN.search(line):
            yield "a control character"
        if self.previous == "end":
            yield "a line after 'Bail out!'"
        if self.depth:
            yield from self._in_block(line)
        elif line == "  ---":
            if self.previous != "point":
                yield "a YAML block that follows no point"
            self.depth, self.previous = 1, "block"
        elif found := POINT.fullmatch(line):
            self.previous = "point"
            yield from self._point(found)
        elif BAIL_OUT.fullmatch(line):
            self.previous = "end"
        elif COMMENT.fullmatch(line):
            self.previous = "comment"
        else:
            yield f"neither point, comment nor block: {line[:60]!r}"

    def _point(self, found: re.Match[str]) -> Iterator[str]:
        self.points += 1
        if int(found["number"]) != self.points:
            yield f"point {found['number']} where {self.points} is due"
        if found["name"] in self.names:
            yield f"a second point {found['name']!r}"
        if found["name"].endswith("{"):
            yield "a name that begins a subtest"
        if (found["directive"], bool(found["not"])) in {("SKIP", True), ("TODO", False)}:
            yield "only 'ok # SKIP' and 'not ok # TODO' mean the same to all"
        self.names.add(found["name"])

    def _in_block(self, line: str) -> Iterator[str]:
        """Check a line of YAML; `depth` is how deep it may be, `previous` whether it must be that deep."""
        if line == "  ...":
            if self.previous in ("block", "key"):
                yield "a key or a block without a value"
            self.depth, self.previous = 0, "closed"
            return
        found = ENTRY.fullmatch(line)
        if not found:
            yield f"not plain YAML: {line[:60]!r}"
            return
        depth = len(found["indent"]) // 2
        if depth > self.depth or (self.previous == "key" and depth < self.depth):
            yield "wrong indentation"
        inside = depth + 1 if found["item"] else depth
        self.depth, self.previous = (inside, "value") if found["value"] else (inside + 1, "key")
