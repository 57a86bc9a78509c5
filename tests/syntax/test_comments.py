"""Marked comments: which line each is about, and what only looks like one."""

from __future__ import annotations

from run_scenarios.core.source import Source
from run_scenarios.syntax.comments import find_comments


def found(text: str) -> list[tuple[int, int, str]]:
    """Return the line of each comment, the line that it is about, and its text."""
    comments = find_comments(Source("a.yaml", text), "lint")
    return [(each.span.line, each.line, each.text) for each in comments]


def test_a_comment_is_about_its_own_line_or_the_next_one() -> None:
    assert found("a: 1  # lint: one\n# lint: two\n# other\nb: 2\n") == [(1, 1, "one"), (2, 4, "two")]


def test_a_comment_within_a_scalar_is_not_one() -> None:
    assert found("a: '# lint: x'\nb: |\n  # lint: y\nc: 1 # lint: z\n") == [(4, 4, "z")]


def test_line_breaks_of_yaml_1_1_do_not_shift_comments() -> None:
    assert found("a: '\u2028 \x85 # lint: x'  # lint: y\n# \u2029 # lint: z\nb: 1\n") == [(1, 1, "y"), (2, 3, "z")]
