"""The cases as they are, and then with one thing changed at a time. Imports run, baseline, excuses and trials."""

from __future__ import annotations

import argparse
import itertools
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from run_scenarios.audit.baseline import Baseline
from run_scenarios.audit.mutant_runs import MutantRuns, Verdict
from run_scenarios.audit.mutants import generate_mutants
from run_scenarios.audit.suppressions import Suppressions
from run_scenarios.collection.git_changes import list_changed_files
from run_scenarios.collection.select import Selection
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.events import (
    CaseFinished,
    DiagnosticsFound,
    Emit,
    Failure,
    MutantFinished,
    Notice,
    Outcome,
    Result,
    RunEvent,
    TestPoint,
)
from run_scenarios.core.signals import Interrupted
from run_scenarios.core.source import Source
from run_scenarios.execution.session import Execute, run_selection
from run_scenarios.scenario.case import Task

LEAST_CAP_S, CAP_FACTOR = 30.0, 10.0
"""How long a changed case may take: so many times as long as it does unchanged, but not too little."""


def run_audit(options: argparse.Namespace, selection: Selection, emit: Emit) -> Interrupted | None:
    """Run what was selected, and then audit its files; return what stopped that before its end, if anything did.

    A file of procedures is audited if every case that uses it is there; for what one case does not need, another may.

    :raise UsageError: as `list_changed_files` does.
    :raise SetupError: as `run_selection` does.
    """
    audited = {at for task in selection.tasks for at in task.case.file.texts}
    if options.changed is not None:
        audited &= list_changed_files(options.changed)
    whole = {at for at in audited - selection.left_out if any(map(Path(at).is_relative_to, _named_as_a_whole(options)))}
    own = {task.case.file.absolute_path for task in selection.tasks}
    auditor = Auditor(selection, emit, audited & (own | whole), whole)
    return run_selection(options, auditor.selection, auditor, auditor.audit)


def _named_as_a_whole(options: argparse.Namespace) -> list[Path]:
    """Return the files and directories that the command was given; none if it was given single cases."""
    in_part = options.define or any("::" in each for each in options.paths)
    return [] if in_part else [Path(os.path.normpath(Path(each).absolute())) for each in options.paths]


@dataclass
class _File:
    """A file that is audited, and the point that it has in the plan.

    :param at: its absolute path.
    :param undecided: how many of its mutants have no verdict yet.
    """

    index: int
    source: Source
    at: str
    trials: Sequence[MutantRuns]
    excuses: Suppressions
    undecided: int


class Auditor:
    """Takes the events of a run: those of the cases as they are it hands on, those of changed ones it judges.

    :param audited: the absolute paths of the files to audit.
    :param whole: those that no case was left out of, so that nobody comes where none of these does.
    """

    def __init__(self, selection: Selection, emit: Emit, audited: Collection[str], whole: Collection[str]) -> None:
        self._emit = emit
        self._whole = whole
        self._baseline = Baseline()
        first = len(selection.points)
        self._files = list(_files(selection.tasks, audited, first))
        points = tuple(TestPoint(f"{each.source.path} (audit)", each.source.path) for each in self._files)
        self.selection = replace(selection, further=points)
        self._number = itertools.count(first + len(points))
        self._running: dict[int, tuple[_File, MutantRuns, str]] = {}

    def __call__(self, event: RunEvent) -> None:
        """Take an event."""
        index = getattr(event, "index", -1)
        if index < len(self.selection.points):
            self._baseline(event)
            self._emit(event)
        elif isinstance(event, CaseFinished) and event.result.outcome is not Outcome.INTERRUPTED:
            self._judge(*self._running.pop(index), event.result)

    async def audit(self, execute: Execute) -> Interrupted | None:
        """Try every mutant in one case after the other, until one fails for it."""
        for file in self._files:
            for each in file.trials:
                self._prepare(file, each)
        while tasks := [self._next(file, each) for file in self._files for each in file.trials if not each.are_over]:
            stopped = await execute(tasks)
            if stopped:
                return stopped
        self._emit(Notice(self._summary()))
        return None

    def _prepare(self, file: _File, trials: MutantRuns) -> None:
        """Find the cases for a mutant; give those their verdict that need no case, or have none."""
        if trials.mutant.cannot_fail:
            trials.verdict = Verdict.SURVIVED
        else:
            trials.left = self._baseline.through(trials.mutant.step, self.selection.tasks)
            if not trials.left and self._should_be_reached(file):
                trials.verdict = Verdict.NEVER_REACHED
        if trials.are_over:
            self._settle(file, trials)

    def _should_be_reached(self, file: _File) -> bool:
        concerned = [task for task in self.selection.tasks if file.at in task.case.file.texts]
        return file.at in self._whole and all(map(self._baseline.passed, concerned))

    def _next(self, file: _File, trials: MutantRuns) -> Task:
        """Return the next case for a mutant, as it is to be changed."""
        task = trials.left.pop(0)
        case, index = task.case, next(self._number)
        limits = (case.cap_s, max(LEAST_CAP_S, CAP_FACTOR * self._baseline.seconds(task)))
        changed = replace(case, file=replace(case.file, changes=trials.mutant.changes), cap_s=min(filter(None, limits)))
        self._running[index] = (file, trials, task.point.name)
        return replace(task, index=index, case=changed, point=replace(task.point, name=f"{index}"))

    def _judge(self, file: _File, trials: MutantRuns, name: str, result: Result) -> None:
        trials.note(name, result)
        if trials.are_over:
            self._settle(file, trials)

    def _settle(self, file: _File, trials: MutantRuns) -> None:
        mutant, reason = trials.mutant, file.excuses.reason(trials.mutant.span.line)
        if trials.verdict.is_finding and reason:
            trials.verdict, trials.reason = Verdict.EXCUSED, reason
        change = "left-out" if mutant.is_dropped else "broken"
        word, reason = trials.verdict.word, trials.reason or mutant.cannot_fail
        self._emit(MutantFinished(file.index, mutant.span, change, word, reason, tuple(trials.done)))
        file.undecided -= 1
        if not file.undecided:
            self._report(file)

    def _report(self, file: _File) -> None:
        found = [each.diagnostic() for each in file.trials if each.verdict.is_finding]
        needed = {each.mutant.span.line for each in file.trials if each.verdict is not Verdict.KILLED}
        findings = sorted([*found, *file.excuses.wrong(needed)], key=lambda each: each.sort_key)
        if findings:
            self._emit(DiagnosticsFound(tuple(findings)))
        self._emit(CaseFinished(file.index, _result(file, findings)))

    def _summary(self) -> str:
        counts = Counter(each.verdict for file in self._files for each in file.trials)
        always = {Verdict.KILLED, *(each for each in Verdict if each.is_finding)}
        listed = [f"{counts[each]} {each.word}" for each in Verdict if counts[each] or each in always]
        noun = "mutant" if counts.total() == 1 else "mutants"
        return f"audit: {counts.total()} {noun}: {', '.join(listed)}"


def _files(tasks: Iterable[Task], audited: Collection[str], first: int) -> Iterator[_File]:
    """Yield the files in which there is something to audit, in the order of their names."""
    sources = {at: text.source for task in tasks for at, text in task.case.file.texts.items() if at in audited}
    index = itertools.count(first)
    for at, source in sorted(sources.items(), key=lambda each: each[1].path):
        trials = [MutantRuns(each) for each in generate_mutants(source, at)]
        if trials:
            yield _File(next(index), source, at, trials, Suppressions(source), len(trials))


def _result(file: _File, findings: Sequence[Diagnostic]) -> Result:
    errors = [each for each in findings if each.severity == "error"]
    if errors:
        return Result(
            Outcome.UNPROVEN,
            failure=Failure(errors[0], details=tuple(f"{each.span}: {each.message}" for each in errors)),
        )
    if all(each.verdict is Verdict.NOT_TRIED for each in file.trials):
        return Result(Outcome.SKIPPED, note="no case that passes comes here")
    return Result(Outcome.PASSED)
