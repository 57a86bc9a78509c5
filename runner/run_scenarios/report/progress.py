"""Show the progress of a run at the bottom of a terminal.

It is redrawn when something happens, at most ten times per second, and once per second otherwise.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from run_scenarios.core.diagnostics import escape_unprintable
from run_scenarios.core.events import (
    CaseFinished,
    CaseStarted,
    Outcome,
    RunAborted,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    StepStarted,
    TestPoint,
)
from run_scenarios.report.screen import Screen

REDRAW_INTERVAL_S = 0.1
TICK_S = 1.0
MAX_SHOWN = 8


@dataclass
class _RunningCase:
    """A running case."""

    name: str
    case: str
    began: float
    step: str = ""


class Progress:
    """Shows the counts, the running cases with their current steps, and the time left.

    :param expected: the previous durations of cases in seconds, by name; other cases are assumed to be average.
    :param clock: a monotonic clock in seconds.
    """

    def __init__(
        self, screen: Screen, expected: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen = screen
        self._clock = clock
        self._time_left = _TimeLeft(expected)
        self._points: Sequence[TestPoint] = ()
        self._workers = 1
        self._done = self._failed = self._skipped = 0
        self._running: dict[int, _RunningCase] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._drawn_at = float("-inf")

    def __call__(self, event: RunEvent) -> None:
        """Handle an event."""
        match event:
            case RunStarted():
                self._points, self._workers = event.points, event.workers
                self._time_left.add_points(event.points)
            case CaseStarted(index):
                point = self._points[index]
                self._running[index] = _RunningCase(escape_unprintable(point.name), point.case, self._clock())
            case StepStarted(index) if index in self._running:
                name = f": {event.name}" if event.name else ""
                self._running[index].step = escape_unprintable(f"step {event.number} {event.verb}{name}")
            case CaseFinished():
                self._finish(event)
            case RunFinished() | RunStopped() | RunAborted():
                self._end()
                return
            case _:
                return
        self._schedule_draw(self._drawn_at + REDRAW_INTERVAL_S - self._clock())

    def _finish(self, event: CaseFinished) -> None:
        began = self._running.pop(event.index, None)
        self._time_left.finish(self._points[event.index].case, self._clock() - began.began if began else None)
        self._done += 1
        self._failed += event.result.outcome.is_failure
        self._skipped += event.result.outcome is Outcome.SKIPPED

    def _end(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._points = ()
        self._running.clear()
        self._screen.show(())

    def _schedule_draw(self, delay: float) -> None:
        """Draw after `delay` seconds, or earlier if already scheduled; at once if no event loop is running."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._draw()
            return
        if self._timer and not self._timer.cancelled():
            if self._timer.when() <= loop.time() + delay:
                return
            self._timer.cancel()
        self._timer = loop.call_later(max(0.0, delay), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._draw()
        self._schedule_draw(TICK_S)

    def _draw(self) -> None:
        self._drawn_at = self._clock()
        shown = list(self._running.values())[:MAX_SHOWN]
        hidden = len(self._running) - len(shown)
        lines = [f"  {each.name}  {each.step}  {_format_duration(self._drawn_at - each.began)}" for each in shown]
        self._screen.show([self._format_counts(), *lines, *([f"  and {hidden} more"] if hidden else [])])

    def _format_counts(self) -> str:
        parts = [f"{self._done} of {len(self._points)} done"]
        parts += [f"{count} {word}" for count, word in ((self._failed, "failed"), (self._skipped, "skipped")) if count]
        parts.append(f"{len(self._points) - self._done} left")
        running = {each.case: self._drawn_at - each.began for each in self._running.values()}
        seconds = self._time_left.seconds(running, self._workers)
        return ", ".join(parts) + (f", about {_format_duration(seconds)}" if seconds is not None else "")


class _TimeLeft:
    """Estimates how long the unfinished cases will take."""

    def __init__(self, expected: Mapping[str, float]) -> None:
        self._expected = expected
        self._known_s = 0.0
        self._unknown = 0
        self._average = _Average()

    def add_points(self, points: Sequence[TestPoint]) -> None:
        for point in points:
            self._add(point.case, 1)
            if point.case in self._expected:
                self._average.add(self._expected[point.case])

    def finish(self, case: str, took: float | None) -> None:
        self._add(case, -1)
        if took is not None:
            self._average.add(took)

    def seconds(self, running: Mapping[str, float], workers: int) -> float | None:
        """Return the estimated seconds until the end, None if there is nothing to base it on.

        :param running: the seconds that each running case has taken so far.
        """
        if not self._average.count:
            return None
        spent = sum(min(ran, self._expected.get(case, self._average.value)) for case, ran in running.items())
        return max(0.0, self._known_s + self._unknown * self._average.value - spent) / workers

    def _add(self, case: str, sign: int) -> None:
        if case in self._expected:
            self._known_s += sign * self._expected[case]
        else:
            self._unknown += sign


@dataclass
class _Average:
    """A running mean."""

    total: float = 0.0
    count: int = 0

    @property
    def value(self) -> float:
        return self.total / self.count if self.count else 0.0

    def add(self, value: float) -> None:
        self.total += value
        self.count += 1


def _format_duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60}:{whole % 60:02} min" if whole < 3600 else f"{whole // 3600}:{whole % 3600 // 60:02} h"
