"""Where something is wrong, what, and what to do next. Imports nothing of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, TypeVar, dataclass_transform

T = TypeVar("T")

MAX_EXCERPT = 160
MAX_MESSAGE = 600
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

type_names = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "NoneType": "null",
    "list": "a list",
    "dict": "a mapping",
}


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_type(kind: type[T]) -> type[T]:
    """Make a class a frozen dataclass, of values made by the million: the type checker alone sees to it.

    Python's own check makes each of them take four times as long to create.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)


@dataclass_transform(frozen_default=True, eq_default=False)
def entity_type(kind: type[T]) -> type[T]:
    """Make a class a dataclass like those of `value_type`, each of which is equal to itself alone."""
    return dataclass(eq=False)(kind)


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


Place = tuple[Source, int, int, int]
"""What a span is made of. Every value of every file has a place, and few are asked for their span."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about a scenario, with the place and, where we know one, the mend.

    :param code: that of the lint rule that it breaks, "" if it breaks none.
    """

    span: Span
    message: str
    hint: str = ""
    severity: str = "error"
    code: str = ""

    @property
    def place(self) -> tuple[str, int, int]:
        """The file, line and column, to sort by."""
        return self.span.source.path, self.span.line, self.span.column

    def render(self) -> str:
        """Return the finding as a compiler would print it: the place, the source line, a caret, the hint."""
        code = f"[{self.code}]" if self.code else ""
        head = f"{self.span}: {self.severity}{code}: {printable(self.message)}"
        return "\n".join([head, *excerpt(self.span, self.hint)])


def excerpt(span: Span, hint: str = "") -> list[str]:
    """Return the source line of `span` and a caret line below it with `hint`; just the hint if the line is empty."""
    text, column = _cropped(span.source.line(span.line), span.column)
    hint = printable(hint)
    if not text.strip():
        return [f"      = {hint}"] if hint else []
    tabs_kept = "".join("\t" if char == "\t" else " " for char in text[: column - 1])
    width = max(1, min(span.width, len(text) - column + 1))
    caret = f"      | {tabs_kept}{'^' * width} {hint}".rstrip()
    return [f"{span.line:5} | {text}", caret]


def _cropped(text: str, column: int) -> tuple[str, int]:
    """Return a line as a terminal may show it, no longer than `MAX_EXCERPT`, and where in that `column` is."""
    shown = "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in text)
    start = max(0, min(column - MAX_EXCERPT // 2, len(shown) - MAX_EXCERPT)) if len(shown) > MAX_EXCERPT else 0
    if start:
        shown, column = f"…{shown[start:]}", column - start + 1
    return (shown if len(shown) <= MAX_EXCERPT + 1 else f"{shown[:MAX_EXCERPT]}…"), column


def printable(text: str) -> str:
    """Return a text on one line, no longer than `MAX_MESSAGE`, with what no terminal should be sent as escapes."""
    text = text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}…"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class RunnerError(Exception):
    """Root of every error this package raises on purpose."""


class ScenarioError(RunnerError):
    """A scenario file is wrong: the author must change it.

    :param diagnostics: everything found, at least one.
    """

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        return "\n".join(diagnostic.render() for diagnostic in self.diagnostics)


class SetupError(RunnerError):
    """The run cannot start or go on for a reason outside every scenario: no QEMU, no space."""


class UsageError(SetupError):
    """The run cannot start, for the command line asks for what there is not."""


def os_problem(error: OSError) -> str:
    """Return what the operating system refused, in words: "No space left on device: report.tap"."""
    return f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")


def mistake(span: Span, message: str, hint: str = "", code: str = "") -> ScenarioError:
    """Return the error for one wrong place in a scenario."""
    return ScenarioError(Diagnostic(span, message, hint, code=code))


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that a misspelt one must mean, None if there is none like it."""
    import difflib

    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return "did you mean 'x'?" for the closest known word, else `otherwise`."""
    close = closest(word, known)
    return f"did you mean '{close}'?" if close else otherwise


def type_name(value: object) -> str:
    """Return the JSON name of a value's type, with its article."""
    return type_names.get(type(value).__name__, type(value).__name__)


class StepFailed(RunnerError):
    """A step did not do what the scenario says it does.

    :param span: the exact place in the scenario, where it is narrower than the step.
    :param wanted: what was expected, as JSON or words; "" where that says nothing.
    :param found: what there was instead.
    :param path: where in the value that was looked at that was, "" if it was all of it.
    :param details: further differences, a line each.
    """

    def __init__(
        self,
        message: str,
        *,
        span: Span | None = None,
        hint: str = "",
        wanted: str = "",
        found: str = "",
        path: str = "",
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.hint = hint
        self.wanted = wanted
        self.found = found
        self.path = path
        self.details = details


class CommandFailed(StepFailed):
    """QEMU or a tool refused what it was asked; the modifier `error` matches against `reply`.

    :param reply: for QMP `{"class": str, "desc": str}`; for a tool `{"status": int, "stdout": str, "stderr": str}`.
    """

    def __init__(self, message: str, reply: dict[str, object], *, span: Span | None = None, hint: str = "") -> None:
        super().__init__(message, span=span, hint=hint)
        self.reply = reply


class MachineDied(StepFailed):
    """QEMU ended, or stopped speaking QMP, although no step asked it to.

    :param status: its exit status, minus the signal's number if one killed it; None if it runs on.
    """

    def __init__(self, message: str, status: int | None, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
