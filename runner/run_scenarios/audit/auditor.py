"""Run the cases unchanged, and then every mutant in one case after the other until one kills it."""

from __future__ import annotations

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
from run_scenarios.collection.git_changes import find_changed_files
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
    RunStopped,
    TestPoint,
)
from run_scenarios.core.signals import Interrupted
from run_scenarios.core.source import Source
from run_scenarios.execution.options import RunOptions
from run_scenarios.execution.session import RunTasks, run_selection
from run_scenarios.scenario.case import Task

MIN_CAP_S, CAP_FACTOR = 30.0, 10.0
"""The time limit of a mutant: a multiple of the time that the unchanged case takes, but at least `MIN_CAP_S`."""


def run_audit(
    options: RunOptions, selection: Selection, emit: Emit, *, revision: str | None, whole_paths: Sequence[str]
) -> Interrupted | None:
    """Run the selected cases, and then audit their files; return what stopped that early, if anything did.

    A file of procedures is audited only if every case that uses it is selected: each case may need another part of it.

    :param revision: audit only the files that differ from this git revision.
    :param whole_paths: files and directories whose cases are all selected.
    :raise UsageError: as `find_changed_files` does.
    :raise SetupError: as `run_selection` does.
    """
    audited = {at for task in selection.tasks for at in task.case.file.texts}
    if revision is not None:
        audited = find_changed_files(audited, revision)
    named = [os.path.normpath(Path(each).absolute()) for each in whole_paths]
    entire = {at for at in audited - selection.left_out if any(map(Path(at).is_relative_to, named))}
    scenarios = {task.case.file.absolute_path for task in selection.tasks}
    auditor = _Auditor(selection, emit, audited & (scenarios | entire), entire)
    return run_selection(options, auditor.selection, auditor.take_baseline_event, auditor.run_mutants)


@dataclass
class _AuditedFile:
    """A file that is audited, and its test point.

    :param at: its absolute path.
    :param undecided: the number of its mutants that have no verdict yet.
    """

    index: int
    source: Source
    at: str
    mutants: Sequence[MutantRuns]
    suppressions: Suppressions
    undecided: int


class _Auditor:
    """Runs mutants, and reports a verdict on each and a result for each file.

    :param audited: the absolute paths of the files to audit.
    :param entire: those of them of which every case was selected, so that a step that no case runs is a finding.
    """

    def __init__(self, selection: Selection, emit: Emit, audited: Collection[str], entire: Collection[str]) -> None:
        self._emit = emit
        self._entire = entire
        self._baseline = Baseline()
        first = len(selection.points)
        self._files = list(_find_audited_files(selection.tasks, audited, first))
        points = tuple(TestPoint(f"{each.source.path} (audit)", each.source.path) for each in self._files)
        self.selection = replace(selection, further=points)
        self._unused_indices = itertools.count(first + len(points))
        self._running: dict[int, tuple[_AuditedFile, MutantRuns, str]] = {}

    def take_baseline_event(self, event: RunEvent) -> None:
        """Take an event of the run, and of the unchanged cases."""
        self._baseline.add_event(event)
        self._emit(event)

    async def run_mutants(self, run_tasks: RunTasks) -> Interrupted | None:
        """Run every mutant in one case after the other, until one kills it."""
        for file in self._files:
            for mutant in file.mutants:
                self._find_cases(file, mutant)
        while tasks := self._make_next_tasks():
            stopped = await run_tasks(tasks, self._take_mutant_event)
            if stopped:
                return stopped
        self._emit(Notice(self._summarize()))
        return None

    def _take_mutant_event(self, event: RunEvent) -> None:
        """Take an event of a mutant: its result is judged, and the rest of what it does is not reported."""
        match event:
            case CaseFinished() if event.result.outcome is not Outcome.INTERRUPTED:
                file, mutant, case = self._running.pop(event.index)
                mutant.add_result(case, event.result)
                if mutant.is_decided:
                    self._report_mutant(file, mutant)
            case RunStopped():
                self._emit(event)

    def _find_cases(self, file: _AuditedFile, mutant: MutantRuns) -> None:
        """Find the cases in which a mutant can run; report it at once if it needs none, or has none."""
        if mutant.mutant.cannot_fail:
            mutant.verdict = Verdict.SURVIVED
        else:
            mutant.remaining = self._baseline.find_covering_cases(mutant.mutant.step, self.selection.tasks)
            if not mutant.remaining and self._must_be_covered(file):
                mutant.verdict = Verdict.NOT_COVERED
        if mutant.is_decided:
            self._report_mutant(file, mutant)

    def _must_be_covered(self, file: _AuditedFile) -> bool:
        """Tell whether every case that could run the steps of a file was run, and passed."""
        users = [task for task in self.selection.tasks if file.at in task.case.file.texts]
        return file.at in self._entire and all(map(self._baseline.has_passed, users))

    def _make_next_tasks(self) -> list[Task]:
        """Return a task for each mutant without a verdict: the mutant in its next case."""
        return [
            self._make_next_task(file, mutant)
            for file in self._files
            for mutant in file.mutants
            if not mutant.is_decided
        ]

    def _make_next_task(self, file: _AuditedFile, mutant: MutantRuns) -> Task:
        task = mutant.remaining.pop(0)
        case, index = task.case, next(self._unused_indices)
        limits = (case.cap_s, max(MIN_CAP_S, CAP_FACTOR * self._baseline.get_duration_s(task)))
        mutated = replace(case, file=replace(case.file, changes=mutant.mutant.changes), cap_s=min(filter(None, limits)))
        self._running[index] = (file, mutant, task.point.name)
        return replace(task, index=index, case=mutated, point=replace(task.point, name=f"{index}"))

    def _report_mutant(self, file: _AuditedFile, runs: MutantRuns) -> None:
        mutant = runs.mutant
        reason = file.suppressions.find_reason(mutant.span.line)
        if runs.verdict.is_finding and reason:
            runs.suppress(reason)
        change = "dropped" if mutant.is_dropped else "broken"
        explanation = runs.reason or mutant.cannot_fail
        self._emit(
            MutantFinished(file.index, mutant.span, change, runs.verdict.word, explanation, tuple(runs.finished))
        )
        file.undecided -= 1
        if not file.undecided:
            self._report_file(file)

    def _report_file(self, file: _AuditedFile) -> None:
        findings = [each.make_diagnostic() for each in file.mutants if each.verdict.is_finding]
        needed = {each.mutant.span.line for each in file.mutants if each.verdict is not Verdict.KILLED}
        diagnostics = sorted([*findings, *file.suppressions.check(needed)], key=lambda each: each.sort_key)
        if diagnostics:
            self._emit(DiagnosticsFound(tuple(diagnostics)))
        self._emit(CaseFinished(file.index, _make_result(file, diagnostics)))

    def _summarize(self) -> str:
        counts = Counter(each.verdict for file in self._files for each in file.mutants)
        always = {Verdict.KILLED, *(each for each in Verdict if each.is_finding)}
        listed = [f"{counts[each]} {each.word}" for each in Verdict if counts[each] or each in always]
        noun = "mutant" if counts.total() == 1 else "mutants"
        return f"audit: {counts.total()} {noun}: {', '.join(listed)}"


def _find_audited_files(tasks: Iterable[Task], audited: Collection[str], first: int) -> Iterator[_AuditedFile]:
    """Yield the files that have mutants, in the order of their names.

    :param first: the index of the first one's test point.
    """
    sources = {at: text.source for task in tasks for at, text in task.case.file.texts.items() if at in audited}
    index = itertools.count(first)
    for at, source in sorted(sources.items(), key=lambda each: each[1].path):
        mutants = [MutantRuns(each) for each in generate_mutants(source, at)]
        if mutants:
            yield _AuditedFile(next(index), source, at, mutants, Suppressions(source), len(mutants))


def _make_result(file: _AuditedFile, diagnostics: Sequence[Diagnostic]) -> Result:
    errors = [each for each in diagnostics if each.severity == "error"]
    if errors:
        details = tuple(f"{each.span}: {each.message}" for each in errors)
        return Result(Outcome.UNPROVEN, failure=Failure(errors[0], details=details))
    if all(each.verdict is Verdict.NOT_RUN for each in file.mutants):
        return Result(Outcome.SKIPPED, note="no case that passes runs its steps")
    return Result(Outcome.PASSED)
