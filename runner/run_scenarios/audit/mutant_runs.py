"""The runs of one mutant in one case after the other, and the verdict they lead to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from run_scenarios.audit.mutants import Mutant
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.events import Outcome, Result
from run_scenarios.scenario.case import Task

FAILURES = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED)
HINT = "strengthen the scenario, or suppress this with a reason: # audit: REASON"


class Verdict(Enum):
    """The verdict on a mutant: its word in reports, and whether it is a finding."""

    KILLED = ("killed", False)
    SURVIVED = ("survived", True)
    NOT_COVERED = ("not covered", True)
    UNDECIDED = ("undecided", True)
    SUPPRESSED = ("suppressed", False)
    NOT_RUN = ("not run", False)

    def __init__(self, word: str, is_finding: bool) -> None:
        self.word = word
        self.is_finding = is_finding


@dataclass
class MutantRuns:
    """A mutant, the cases it has run in, and those in which it can still run.

    :param finished: the names of cases, each with its outcome.
    :param reason: an explanation of the verdict, "" if it needs none.
    """

    mutant: Mutant
    remaining: list[Task] = field(default_factory=list)
    finished: list[tuple[str, str]] = field(default_factory=list)
    verdict: Verdict = Verdict.NOT_RUN
    reason: str = ""

    @property
    def is_decided(self) -> bool:
        """Whether the verdict is final: one case that kills the mutant is enough."""
        return not self.remaining or self.verdict is Verdict.KILLED

    def add_result(self, name: str, result: Result) -> None:
        """Take the result of the mutant in a case; survival in one case outweighs undecided runs in others."""
        self.finished.append((name, result.outcome.reason))
        verdict = classify_result(self.mutant, result)
        if (verdict, self.verdict) != (Verdict.UNDECIDED, Verdict.SURVIVED):
            self.verdict = verdict
            self.reason = _describe_result(result) if verdict is Verdict.UNDECIDED else ""

    def suppress(self, reason: str) -> None:
        """Turn a finding into a suppressed one."""
        self.verdict, self.reason = Verdict.SUPPRESSED, reason

    def make_diagnostic(self) -> Diagnostic:
        """Return the finding."""
        return Diagnostic(self.mutant.span, self._message(), self._hint(), code="audit")

    def _message(self) -> str:
        if self.verdict is Verdict.NOT_COVERED:
            return "no case runs this step"
        if self.verdict is Verdict.UNDECIDED:
            return f"undecided: {self.reason}"
        if self.mutant.cannot_fail:
            return f"this cannot fail: {self.mutant.cannot_fail}"
        return f"no case fails if this is {'dropped' if self.mutant.is_dropped else 'broken'}"

    def _hint(self) -> str:
        count = len(self.finished)
        runs = f"run in {count} case{'s' if count > 1 else ''}; " if count else ""
        return runs + HINT


def classify_result(mutant: Mutant, result: Result) -> Verdict:
    """Return the verdict on a mutant according to one case.

    A broken assertion must fail itself; a failure elsewhere says nothing about it. A dropped step may make the case
    fail anywhere and in any way.
    """
    if result.outcome is Outcome.PASSED:
        return Verdict.SURVIVED
    if mutant.is_dropped:
        return Verdict.KILLED if result.outcome in FAILURES else Verdict.UNDECIDED
    failed_at = result.failure.step_span if result.failure else None
    is_killed = result.outcome is Outcome.FAILED and failed_at == mutant.step
    return Verdict.KILLED if is_killed else Verdict.UNDECIDED


def _describe_result(result: Result) -> str:
    if not result.failure:
        return result.note or result.outcome.reason
    diagnostic = result.failure.diagnostic
    return f"{result.outcome.reason}: {diagnostic.message} ({diagnostic.span})"
