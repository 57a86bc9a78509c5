"""The screen: lines scroll above a status that is redrawn in place."""

from __future__ import annotations

import io

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_scenarios.report.screen import Screen, clip


class Shown:
    """A screen on an emulated terminal."""

    def __init__(self, columns: int = 20, rows: int = 6) -> None:
        self.text = io.StringIO()
        self.columns, self.rows = columns, rows
        self.screen = Screen(self.text, size=lambda: (self.columns, self.rows))

    @property
    def lines(self) -> list[str]:
        terminal = pyte.HistoryScreen(self.columns, self.rows, history=1000)
        pyte.Stream(terminal).feed(self.text.getvalue().replace("\n", "\r\n"))
        above = ["".join(line[x].data for x in range(self.columns)) for line in terminal.history.top]
        lines = [line.rstrip() for line in (*above, *terminal.display)]
        while lines and not lines[-1]:
            lines.pop()
        return lines


def test_lines_appear_above_the_status() -> None:
    shown = Shown()
    shown.screen.write("a")
    shown.screen.show(["running", "two"])
    shown.screen.write("b\nc", "d")
    assert shown.lines == ["a", "b", "c", "d", "running", "two"]


def test_a_shorter_status_replaces_a_longer_one() -> None:
    shown = Shown()
    shown.screen.show(["a long line", "another", "third"])
    shown.screen.show(["short"])
    assert shown.lines == ["short"]
    shown.screen.show([])
    assert shown.lines == []


def test_a_screen_without_a_status_sends_plain_lines() -> None:
    shown = Shown()
    shown.screen.write("a", "b")
    shown.screen.show([])
    assert shown.text.getvalue() == "a\nb\n"


def test_the_status_never_fills_the_window() -> None:
    shown = Shown(columns=10, rows=4)
    shown.screen.write("above")
    shown.screen.show([f"a line that is too long {number}" for number in range(9)])
    shown.screen.show(["x" * 10] * 9)
    assert shown.lines == ["above", "xxxxxxxx…", "xxxxxxxx…", "xxxxxxxx…"]


def test_scrolled_lines_stay_complete() -> None:
    shown = Shown(columns=10)
    shown.screen.show(["status"])
    shown.screen.write(*(f"line {number}" for number in range(50)))
    assert shown.lines == [*(f"line {number}" for number in range(50)), "status"]


@given(st.lists(st.tuples(st.booleans(), st.lists(st.text("ab界", min_size=1, max_size=12), max_size=4)), max_size=12))
def test_any_sequence_shows_the_lines_and_then_the_status(steps: list[tuple[bool, list[str]]]) -> None:
    shown = Shown(columns=40, rows=8)
    lines: list[str] = []
    status: list[str] = []
    for is_status, texts in steps:
        if is_status:
            status = texts
            shown.screen.show(texts)
        else:
            lines += texts
            shown.screen.write(*texts)
    assert [line.replace(" ", "") for line in shown.lines] == [*lines, *status]


@pytest.mark.parametrize(
    ("text", "columns", "fitting"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("界界", 4, "界界"),
        ("界界", 3, "界…"),
        ("界界界", 4, "界…"),
        ("abc", 0, ""),
    ],
)
def test_a_text_is_cut_by_its_width(text: str, columns: int, fitting: str) -> None:
    assert clip(text, columns) == fitting
