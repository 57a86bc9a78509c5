"""A mutant on its way to a verdict, one case after the other. Imports mutants and model."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from run_scenarios.audit.mutants import Mutant
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.events import Outcome, Result
from run_scenarios.scenario.case import Task

FAILURES = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED)
EXCUSE = "mend it, or say why that is as it should be: # audit: the reason"


class Verdict(Enum):
    """What became of a mutant: the word for it, and whether that is a finding."""

    KILLED = ("killed", False)
    SURVIVED = ("survived", True)
    NEVER_REACHED = ("never reached", True)
    UNDECIDED = ("not decided", True)
    EXCUSED = ("excused", False)
    NOT_TRIED = ("not tried", False)

    def __init__(self, word: str, is_finding: bool) -> None:
        self.word = word
        self.is_finding = is_finding


@dataclass
class MutantRuns:
    """The cases that a mutant can still be tried in, and how it went in those before.

    :param done: cases by name, each with its outcome.
    :param reason: why the verdict is what it is, as far as there is something to say.
    """

    mutant: Mutant
    left: list[Task] = field(default_factory=list)
    done: list[tuple[str, str]] = field(default_factory=list)
    verdict: Verdict = Verdict.NOT_TRIED
    reason: str = ""

    @property
    def are_over(self) -> bool:
        """Whether another case would change nothing: one failure is proof enough."""
        return not self.left or self.verdict is Verdict.KILLED

    def note(self, name: str, result: Result) -> None:
        """Take the result of a case; that it has passed outweighs that another one has decided nothing."""
        self.done.append((name, result.outcome.reason))
        verdict = classify_result(self.mutant, result)
        if (verdict, self.verdict) != (Verdict.UNDECIDED, Verdict.SURVIVED):
            self.verdict = verdict
            self.reason = _said(result) if verdict is Verdict.UNDECIDED else ""

    def diagnostic(self) -> Diagnostic:
        """Return the finding that the verdict is."""
        return Diagnostic(self.mutant.span, self._message(), self._hint(), code="audit")

    def _message(self) -> str:
        if self.verdict is Verdict.NEVER_REACHED:
            return "no case comes here"
        if self.verdict is Verdict.UNDECIDED:
            return f"not decided: {self.reason}"
        if self.mutant.cannot_fail:
            return f"this cannot fail: {self.mutant.cannot_fail}"
        return f"no case fails if this is {'left out' if self.mutant.is_dropped else 'broken'}"

    def _hint(self) -> str:
        tried = f"tried in {len(self.done)} case{'s' if len(self.done) > 1 else ''}; " if self.done else ""
        return tried + EXCUSE


def classify_result(mutant: Mutant, result: Result) -> Verdict:
    """Return what the result of one case says.

    A broken assertion must fail where it stands: what else a case fails for says nothing about it. For a step that was
    left out a case may fail anywhere, and in any way.
    """
    if result.outcome is Outcome.PASSED:
        return Verdict.SURVIVED
    if mutant.is_dropped:
        return Verdict.KILLED if result.outcome in FAILURES else Verdict.UNDECIDED
    failed_at = result.failure.step_span if result.failure else None
    there = result.outcome is Outcome.FAILED and failed_at == mutant.step
    return Verdict.KILLED if there else Verdict.UNDECIDED


def _said(result: Result) -> str:
    if not result.failure:
        return result.note or result.outcome.reason
    found = result.failure.diagnostic
    return f"{result.outcome.reason}: {found.message} ({found.span})"
