"""What the cases do as they are: which steps they run, and how they end. Imports model and task."""

from __future__ import annotations

from collections.abc import Iterable

from run_scenarios.core.events import CaseFinished, Outcome, Result, RunEvent, StepFinished
from run_scenarios.core.source import Span
from run_scenarios.scenario.case import Task


class Baseline:
    """Takes the events of the cases, and tells which of them a change of a step can be tried in."""

    def __init__(self) -> None:
        self._ran: dict[Span, set[int]] = {}
        self._results: dict[int, Result] = {}

    def __call__(self, event: RunEvent) -> None:
        """Take an event."""
        match event:
            case StepFinished() if not event.skipped:
                self._ran.setdefault(event.span, set()).add(event.index)
            case CaseFinished():
                self._results[event.index] = event.result

    def seconds(self, task: Task) -> float:
        """Return how long a case took."""
        return self._results[task.index].duration_s

    def passed(self, task: Task) -> bool:
        """Tell whether a case passed; in one that fails anyhow, a change proves nothing."""
        return self._results[task.index].outcome is Outcome.PASSED

    def through(self, step: Span, tasks: Iterable[Task]) -> list[Task]:
        """Return the cases that passed and ran a step, the quickest first."""
        ran = self._ran.get(step, set())
        return sorted((each for each in tasks if each.index in ran and self.passed(each)), key=self.seconds)
