"""How far a run is, at the bottom of a terminal. Imports model, errors, screen.

It is drawn when something happens, a few times a second at the most, and once a second while nothing does.
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

PAUSE_S = 0.1
TICK_S = 1.0
MAX_SHOWN = 8


@dataclass
class _Running:
    """A case on its way."""

    name: str
    case: str
    began: float
    step: str = ""


class Progress:
    """Shows what is done, what runs with its current step, and when the rest will be done.

    :param expected: seconds that cases took before, by name; the others are taken for average.
    :param clock: returns seconds that only ever grow.
    """

    def __init__(
        self, screen: Screen, expected: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen = screen
        self._clock = clock
        self._left = _TimeLeft(expected)
        self._points: Sequence[TestPoint] = ()
        self._workers = 1
        self._done = self._failed = self._skipped = 0
        self._running: dict[int, _Running] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._drawn_at = float("-inf")

    def __call__(self, event: RunEvent) -> None:
        """Take an event."""
        match event:
            case RunStarted():
                self._points, self._workers = event.points, event.workers
                self._left.wait_for(event.points)
            case CaseStarted(index):
                point = self._points[index]
                self._running[index] = _Running(escape_unprintable(point.name), point.case, self._clock())
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
        self._wake(self._drawn_at + PAUSE_S - self._clock())

    def _finish(self, event: CaseFinished) -> None:
        began = self._running.pop(event.index, None)
        self._left.finish(self._points[event.index].case, self._clock() - began.began if began else None)
        self._done += 1
        self._failed += event.result.outcome.is_failure
        self._skipped += event.result.outcome is Outcome.SKIPPED

    def _end(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._points = ()
        self._running.clear()
        self._screen.show(())

    def _wake(self, delay: float) -> None:
        """Draw in so many seconds, or sooner if that is decided already; at once where no loop runs yet."""
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
        self._wake(TICK_S)

    def _draw(self) -> None:
        self._drawn_at = self._clock()
        shown = list(self._running.values())[:MAX_SHOWN]
        hidden = len(self._running) - len(shown)
        lines = [f"  {each.name}  {each.step}  {_shown(self._drawn_at - each.began)}" for each in shown]
        self._screen.show([self._counts(), *lines, *([f"  and {hidden} more"] if hidden else [])])

    def _counts(self) -> str:
        parts = [f"{self._done} of {len(self._points)} done"]
        parts += [f"{count} {word}" for count, word in ((self._failed, "failed"), (self._skipped, "skipped")) if count]
        parts.append(f"{len(self._points) - self._done} left")
        running = {each.case: self._drawn_at - each.began for each in self._running.values()}
        seconds = self._left.seconds(running, self._workers)
        return ", ".join(parts) + (f", about {_shown(seconds)}" if seconds is not None else "")


class _TimeLeft:
    """Adds up what the cases still to be finished are expected to take."""

    def __init__(self, expected: Mapping[str, float]) -> None:
        self._expected = expected
        self._known_s = 0.0
        self._unknown = 0
        self._average = _Average()

    def wait_for(self, points: Sequence[TestPoint]) -> None:
        for point in points:
            self._add(point.case, 1)
            if point.case in self._expected:
                self._average.add(self._expected[point.case])

    def finish(self, case: str, took: float | None) -> None:
        self._add(case, -1)
        if took is not None:
            self._average.add(took)

    def seconds(self, running: Mapping[str, float], workers: int) -> float | None:
        """Return how long it will be until all is done, None if that is anybody's guess.

        :param running: the seconds that cases have been running for.
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
    """A mean that grows."""

    total: float = 0.0
    count: int = 0

    @property
    def value(self) -> float:
        return self.total / self.count if self.count else 0.0

    def add(self, value: float) -> None:
        self.total += value
        self.count += 1


def _shown(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60}:{whole % 60:02} min" if whole < 3600 else f"{whole // 3600}:{whole % 3600 // 60:02} h"
