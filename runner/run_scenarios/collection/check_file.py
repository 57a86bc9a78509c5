"""One file: read, planned, linted, and its QMP checked. Imports lint, plan, qmp_check and validate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from run_scenarios.collection.discover import FoundFile
from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.errors import ScenarioError, scenario_error
from run_scenarios.core.limits import LimitExceeded, limit_resources
from run_scenarios.core.nodes import JsonObject
from run_scenarios.core.source import Source, Span
from run_scenarios.lint import lint_library, lint_scenario
from run_scenarios.qmp.step_checker import QmpChecker
from run_scenarios.scenario.model import InvalidFile, Library, Scenario
from run_scenarios.scenario.parser import Reader

MAX_FILE_CPU_S = 1.0


@dataclass(frozen=True)
class CheckedFile:
    """What came of one file.

    :param wrong: what is wrong, by the file that cannot be run for it, and the label of the build or "" for any.
    :param deprecated: what QEMU says it may do without one day.
    """

    wrong: Mapping[tuple[str, str], tuple[Diagnostic, ...]] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    deprecated: tuple[Diagnostic, ...] = ()


def check_file(file: FoundFile, reader: Reader, checks: Mapping[str, QmpChecker], given: JsonObject) -> CheckedFile:
    """Return what there is to run in a file, or what is wrong with it.

    :param checks: what checks the QMP of scenarios, by the label of the build, "" if there is one only.
    :param given: values of variables that take the place of the scenario's own.
    """
    try:
        with limit_resources("checking this file", MAX_FILE_CPU_S):
            read = reader.read(file.path, file.shown_as)
            looked_at = _library(read, file) if isinstance(read, Library) else _look_at(read, file, given)
    except LimitExceeded as error:
        whole = Diagnostic(Span(Source(file.shown_as, ""), 1, 1), str(error), "split it, or loop less")
        return CheckedFile({(file.shown_as, ""): (whole,)})
    match read:
        case InvalidFile() | Library():
            return looked_at.examined
        case Scenario():
            return _check(read, looked_at, checks)


@dataclass(frozen=True)
class _LookedAt:
    """What came of a file but for its QMP, and the dry walks through its cases."""

    examined: CheckedFile
    walks: Sequence[VisitedSteps] = ()


def _library(library: Library, file: FoundFile) -> _LookedAt:
    wrong, walks = dry_run_procedures(library.own.values())
    if wrong:
        return _LookedAt(CheckedFile({(file.shown_as, ""): tuple(wrong)}))
    warnings = tuple(lint_library(library, walks))
    if file.alone or file.selector:
        first = next(iter(library.own.values()))
        error = scenario_error(
            first.span, "the file holds procedures and no scenario", "name a scenario that imports it"
        )
        return _LookedAt(CheckedFile({(file.shown_as, ""): error.diagnostics}))
    return _LookedAt(CheckedFile(warnings=warnings))


def _look_at(read: Scenario | InvalidFile, file: FoundFile, given: JsonObject) -> _LookedAt:
    if isinstance(read, InvalidFile):
        return _LookedAt(CheckedFile({(read.path, ""): read.diagnostics}))
    walks: Sequence[VisitedSteps] = ()
    try:
        planned = dry_run(read, given)
        walks = planned.visited
        if planned.diagnostics:
            return _LookedAt(CheckedFile({(read.file.path, ""): tuple(planned.diagnostics)}), walks)
        warnings = tuple(lint_scenario(read, walks))
        return _LookedAt(CheckedFile(cases=tuple(_selected(planned, read, file)), warnings=warnings), walks)
    except ScenarioError as error:
        return _LookedAt(CheckedFile({(read.file.path, ""): error.diagnostics}), walks)


def _check(scenario: Scenario, looked_at: _LookedAt, checks: Mapping[str, QmpChecker]) -> CheckedFile:
    """Add what the checks of the QMP find; not bounded, for they may have to start QEMU."""
    before = looked_at.examined
    wrong = {key: list(found) for key, found in before.wrong.items()}
    deprecated: list[Diagnostic] = []
    for label, check in checks.items():
        found = check.check(scenario, looked_at.walks, bool(before.cases))
        if found:
            wrong.setdefault((scenario.file.path, label), []).extend(_labelled(each, label) for each in found)
        deprecated += check.take_warnings()
    by_build = {key: tuple(dict.fromkeys(found)) for key, found in wrong.items()}
    return replace(before, wrong=by_build, deprecated=tuple(deprecated))


def _labelled(found: Diagnostic, label: str) -> Diagnostic:
    return replace(found, message=f"{found.message} [qemu={label}]") if label else found


def _selected(planned: DryRun, scenario: Scenario, file: FoundFile) -> list[Case]:
    if not file.selector:
        return planned.cases
    chosen = [case for case in planned.cases if case.label == file.selector]
    if not chosen:
        labels = [case.label for case in planned.cases if case.label]
        hint = did_you_mean(file.selector, labels, f"cases: {', '.join(labels) or 'one only, without a name'}")
        raise scenario_error(scenario.span, f"there is no case '{file.selector}'", hint)
    return chosen
