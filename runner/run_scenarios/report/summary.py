"""Summarize the run on standard error when it has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from run_scenarios.core.diagnostics import escape_unprintable
from run_scenarios.core.events import (
    CATEGORIES,
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


class Summary:
    """Writes the failures, the reasons for skipping, and the totals.

    On a terminal always; elsewhere only after a failure, if cases ran in several rounds, or if every case was skipped.
    """

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
        """Handle an event."""
        match event:
            case RunStarted():
                self._points, self._qemus = event.points, event.qemus
            case CaseFinished(index, result):
                self._count_result(self._points[index], result)
            case RunFinished(seconds) if self._points:
                self._write(seconds)
            case RunStopped():
                self._write(None)

    def _count_result(self, point: TestPoint, result: Result) -> None:
        outcome = result.outcome
        self._counts[outcome.category] += 1
        if outcome is Outcome.SKIPPED:
            self._skipped[result.note] += 1
        if point.name != point.case and point.rerun:
            self._rounds[point.case] += 1
            self._failed_rounds[point.case] += outcome.is_failure
        if outcome.is_failure and len(self._failures) < MAX_LISTED:
            self._failures.append(f"{point.name}: {_describe_reason(result)}")

    def _write(self, seconds: float | None) -> None:
        failed = self._counts["failed"]
        all_skipped = 0 < self._counts.total() == self._counts["skipped"] == len(self._points)
        if self._stream.is_terminal or failed or self._rounds or all_skipped or seconds is None:
            # A single failure has just been reported in full.
            listed = self._failures if failed > 1 or self._stream.is_terminal else []
            self._stream.write(
                *_format_list("failed", listed, failed),
                *self._list_skip_reasons(),
                *self._list_flaky(),
                self._format_totals(seconds),
                *(["warning: every case was skipped, so nothing was tested"] if all_skipped else []),
            )
        self._points = ()

    def _list_skip_reasons(self) -> Iterator[str]:
        reasons = [f"{count} times: {reason}" if count > 1 else reason for reason, count in self._skipped.most_common()]
        yield from _format_list("skipped", reasons, len(reasons))

    def _list_flaky(self) -> Iterator[str]:
        cases = [(case, count) for case, count in self._failed_rounds.most_common() if count]
        lines = [f"{case}: {count} of {self._rounds[case]}" for case, count in cases]
        yield from _format_list("rounds that failed", lines, len(lines))

    def _format_totals(self, seconds: float | None) -> str:
        total = sum(self._counts.values())
        counts = [f"{count} {word}" for word in CATEGORIES if (count := self._counts[word])]
        missing = len(self._points) - total
        counts += [f"{missing} not run"] if missing else []
        about = [*self._qemus, *([f"{seconds:.1f} s"] if seconds is not None else [])]
        noun = "case" if len(self._points) == 1 else "cases"
        return f"{len(self._points)} {noun}: {', '.join(counts)}" + (f" ({', '.join(about)})" if about else "")


def _format_list(title: str, lines: Sequence[str], total: int) -> Iterator[str]:
    if not lines:
        return
    yield f"{title}:"
    yield from (f"  {escape_unprintable(line)}" for line in lines[:MAX_LISTED])
    if total > MAX_LISTED:
        yield f"  … and {total - MAX_LISTED} more"


def _describe_reason(result: Result) -> str:
    if not result.failure:
        return result.note or result.outcome.reason
    found = result.failure.diagnostic
    return f"{result.outcome.reason}: {found.message} ({found.span})"
