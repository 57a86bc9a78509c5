"""A run in a few lines, on standard error once it is over. Imports model, errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from run_scenarios.core.diagnostics import escape_unprintable
from run_scenarios.core.events import (
    CaseFinished,
    Outcome,
    Result,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    TestPoint,
)
from run_scenarios.report.stream import LineStream

MAX_LISTED = 20
WORDS = {Outcome.PASSED: "passed", Outcome.SKIPPED: "skipped", Outcome.KNOWN_FAILURE: "known to fail"}


class Summary:
    """Writes what failed, why others were skipped, and how many there were of each.

    On a terminal always, elsewhere if something failed, or if cases ran in several rounds.
    """

    IGNORES_STEPS = True

    def __init__(self, stream: LineStream) -> None:
        self._stream = stream
        self._points: Sequence[TestPoint] = ()
        self._qemus: tuple[str, ...] = ()
        self._counts: Counter[str] = Counter()
        self._failures: list[str] = []
        self._skipped: Counter[str] = Counter()
        self._rounds: Counter[str] = Counter()
        self._failed_rounds: Counter[str] = Counter()

    def __call__(self, event: RunEvent) -> None:
        """Take an event."""
        match event:
            case RunStarted():
                self._points, self._qemus = event.points, event.qemus
            case CaseFinished(index, result):
                self._note(self._points[index], result)
            case RunFinished(seconds) if self._points:
                self._write(seconds)
            case RunStopped():
                self._write(None)

    def _note(self, point: TestPoint, result: Result) -> None:
        outcome = result.outcome
        self._counts["failed" if outcome.is_failure else WORDS[outcome]] += 1
        if outcome is Outcome.SKIPPED:
            self._skipped[result.note] += 1
        if point.name != point.case and point.rerun:
            self._rounds[point.case] += 1
            self._failed_rounds[point.case] += outcome.is_failure
        if outcome.is_failure and len(self._failures) < MAX_LISTED:
            self._failures.append(f"{point.name}: {_why(result)}")

    def _write(self, seconds: float | None) -> None:
        failed = self._counts["failed"]
        if self._stream.is_terminal or failed or self._rounds or seconds is None:
            # One failure has just been told at length.
            listed = self._failures if failed > 1 or self._stream.is_terminal else []
            self._stream.write(
                *_listed("failed", listed, failed), *self._reasons(), *self._flaky(), self._last(seconds)
            )
        self._points = ()

    def _reasons(self) -> Iterator[str]:
        reasons = [f"{count} times: {reason}" if count > 1 else reason for reason, count in self._skipped.most_common()]
        yield from _listed("skipped", reasons, len(reasons))

    def _flaky(self) -> Iterator[str]:
        cases = [(case, count) for case, count in self._failed_rounds.most_common() if count]
        lines = [f"{case}: {count} of {self._rounds[case]}" for case, count in cases]
        yield from _listed("rounds that failed", lines, len(lines))

    def _last(self, seconds: float | None) -> str:
        total = sum(self._counts.values())
        counts = [f"{count} {word}" for word in (*WORDS.values(), "failed") if (count := self._counts[word])]
        missing = len(self._points) - total
        counts += [f"{missing} not run"] if missing else []
        about = [*self._qemus, *([f"{seconds:.1f} s"] if seconds is not None else [])]
        noun = "case" if len(self._points) == 1 else "cases"
        return f"{len(self._points)} {noun}: {', '.join(counts)}" + (f" ({', '.join(about)})" if about else "")


def _listed(title: str, lines: Sequence[str], total: int) -> Iterator[str]:
    if not lines:
        return
    yield f"{title}:"
    yield from (f"  {escape_unprintable(line)}" for line in lines[:MAX_LISTED])
    if total > MAX_LISTED:
        yield f"  … and {total - MAX_LISTED} more"


def _why(result: Result) -> str:
    if not result.failure:
        return result.note or result.outcome.reason
    found = result.failure.diagnostic
    return f"{result.outcome.reason}: {found.message} ({found.span})"
