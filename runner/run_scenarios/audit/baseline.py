"""The results of the unchanged cases, and the steps that each of them ran."""

from __future__ import annotations

from collections.abc import Iterable

from run_scenarios.core.events import CaseFinished, Outcome, Result, RunEvent, StepFinished
from run_scenarios.core.source import Span
from run_scenarios.scenario.case import Task


class Baseline:
    """Collects the events of the unchanged cases, to find the cases in which a mutant can run."""

    def __init__(self) -> None:
        self._cases_by_step: dict[Span, set[int]] = {}
        self._results: dict[int, Result] = {}

    def add_event(self, event: RunEvent) -> None:
        """Take note of an event."""
        match event:
            case StepFinished() if not event.skipped:
                self._cases_by_step.setdefault(event.span, set()).add(event.index)
            case CaseFinished():
                self._results[event.index] = event.result

    def get_duration_s(self, task: Task) -> float:
        """Return how many seconds a case took."""
        return self._results[task.index].duration_s

    def has_passed(self, task: Task) -> bool:
        """Tell whether a case passed; only in such a case can a mutant be killed."""
        return self._results[task.index].outcome is Outcome.PASSED

    def find_covering_cases(self, step: Span, tasks: Iterable[Task]) -> list[Task]:
        """Return the cases that passed and ran a step, the fastest first."""
        covering = self._cases_by_step.get(step, set())
        return sorted(
            (each for each in tasks if each.index in covering and self.has_passed(each)), key=self.get_duration_s
        )
