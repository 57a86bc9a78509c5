"""Diagnostics about scenarios, and their text form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from run_scenarios.core.source import Span

MAX_EXCERPT = 160
MAX_MESSAGE = 600


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or warning about a scenario, with its position and, if known, how to fix it.

    :param code: the code of the lint rule it violates, or "".
    """

    span: Span
    message: str
    hint: str = ""
    severity: str = "error"
    code: str = ""

    @property
    def sort_key(self) -> tuple[str, int, int]:
        """File, line and column."""
        return self.span.source.path, self.span.line, self.span.column

    def render(self) -> str:
        """Return the diagnostic in the style of a compiler: position, message, source line, caret and hint."""
        code = f"[{self.code}]" if self.code else ""
        head = f"{self.span}: {self.severity}{code}: {escape_unprintable(self.message)}"
        return "\n".join([head, *format_excerpt(self.span, self.hint)])


def format_excerpt(span: Span, hint: str = "") -> list[str]:
    """Return the source line of `span` and a line with caret and `hint`; only the hint for an empty line."""
    text, column = _crop_line(span.source.line(span.line), span.column)
    hint = escape_unprintable(hint)
    if not text.strip():
        return [f"      = {hint}"] if hint else []
    tabs_kept = "".join("\t" if char == "\t" else " " for char in text[: column - 1])
    width = max(1, min(span.width, len(text) - column + 1))
    caret = f"      | {tabs_kept}{'^' * width} {hint}".rstrip()
    return [f"{span.line:5} | {text}", caret]


def _crop_line(text: str, column: int) -> tuple[str, int]:
    """Return a line cut to `MAX_EXCERPT` printable characters around `column`, and the new column."""
    shown = "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in text)
    start = max(0, min(column - MAX_EXCERPT // 2, len(shown) - MAX_EXCERPT)) if len(shown) > MAX_EXCERPT else 0
    if start:
        shown, column = f"…{shown[start:]}", column - start + 1
    return (shown if len(shown) <= MAX_EXCERPT + 1 else f"{shown[:MAX_EXCERPT]}…"), column


def escape_unprintable(text: str) -> str:
    """Return a text on one line, cut to `MAX_MESSAGE`, with unprintable characters escaped."""
    return escape_every_unprintable(text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}…")


def escape_every_unprintable(text: str) -> str:
    """Return a text of any length with unprintable characters, line breaks among them, escaped as in Python."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def find_closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most similar to a misspelt one, or None."""
    import difflib

    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return "did you mean 'x'?" for the closest known word, else `otherwise`."""
    close = find_closest(word, known)
    return f"did you mean '{close}'?" if close else otherwise
