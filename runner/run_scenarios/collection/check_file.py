"""Check one scenario file: parse it, run it dry, lint it, and check its QMP."""

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
from run_scenarios.scenario.case import Case
from run_scenarios.scenario.dry_run import DryRun, VisitedSteps, dry_run, dry_run_procedures
from run_scenarios.scenario.model import InvalidFile, Library, Scenario
from run_scenarios.scenario.parser import Reader

MAX_FILE_CPU_S = 1.0


@dataclass(frozen=True)
class CheckedFile:
    """The cases and findings of one file.

    :param errors: by the name of the file that cannot run, and the label of the build, "" for any build.
    :param deprecated: uses of what QEMU has deprecated.
    """

    errors: Mapping[tuple[str, str], tuple[Diagnostic, ...]] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    deprecated: tuple[Diagnostic, ...] = ()


def check_file(
    file: FoundFile, reader: Reader, checkers: Mapping[str, QmpChecker], overrides: JsonObject
) -> CheckedFile:
    """Return the cases of a file, and its findings.

    :param checkers: a QMP checker for each build, by its label.
    :param overrides: values that replace those of the scenario's variables.
    """
    try:
        with limit_resources("checking this file", MAX_FILE_CPU_S):
            content = reader.read(file.path, file.shown_as)
            if isinstance(content, InvalidFile):
                return _invalid(content.path, content.diagnostics)
            if isinstance(content, Library):
                return _check_library(content, file)
            checked, walks = _check_scenario(content, file, overrides)
    except LimitExceeded as error:
        hint = "split the file, or use fewer iterations"
        return _invalid(file.shown_as, (Diagnostic(Span(Source(file.shown_as, ""), 1, 1), str(error), hint),))
    # Outside the time limit, because it may have to start QEMU.
    return _check_qmp(content, checked, walks, checkers)


def _invalid(path: str, diagnostics: Sequence[Diagnostic]) -> CheckedFile:
    return CheckedFile({(path, ""): tuple(diagnostics)})


def _check_library(library: Library, file: FoundFile) -> CheckedFile:
    planned = dry_run_procedures(library.own.values())
    if planned.diagnostics:
        return _invalid(file.shown_as, planned.diagnostics)
    warnings = tuple(lint_library(library, planned))
    if file.alone or file.selector:
        first = next(iter(library.own.values()))
        message, hint = "this file has procedures but no scenario", "run a scenario that imports it"
        return _invalid(file.shown_as, scenario_error(first.span, message, hint).diagnostics)
    return CheckedFile(warnings=warnings)


def _check_scenario(
    scenario: Scenario, file: FoundFile, overrides: JsonObject
) -> tuple[CheckedFile, Sequence[VisitedSteps]]:
    """Return the result of everything but the QMP check, and the steps that the dry run visited."""
    walks: Sequence[VisitedSteps] = ()
    try:
        planned = dry_run(scenario, overrides)
        walks = planned.visited
        if planned.diagnostics:
            return _invalid(scenario.file.path, planned.diagnostics), walks
        warnings = tuple(lint_scenario(scenario, planned))
        return CheckedFile(cases=tuple(_select_cases(planned, scenario, file)), warnings=warnings), walks
    except ScenarioError as error:
        return _invalid(scenario.file.path, error.diagnostics), walks


def _check_qmp(
    scenario: Scenario, checked: CheckedFile, walks: Sequence[VisitedSteps], checkers: Mapping[str, QmpChecker]
) -> CheckedFile:
    errors = {key: list(found) for key, found in checked.errors.items()}
    deprecated: list[Diagnostic] = []
    for label, checker in checkers.items():
        found = checker.check(scenario, walks, bool(checked.cases))
        if found:
            errors.setdefault((scenario.file.path, label), []).extend(_add_label(each, label) for each in found)
        deprecated += checker.take_warnings()
    unique = {key: tuple(dict.fromkeys(found)) for key, found in errors.items()}
    return replace(checked, errors=unique, deprecated=tuple(deprecated))


def _add_label(found: Diagnostic, label: str) -> Diagnostic:
    return replace(found, message=f"{found.message} [qemu={label}]") if label else found


def _select_cases(planned: DryRun, scenario: Scenario, file: FoundFile) -> list[Case]:
    if not file.selector:
        return planned.cases
    chosen = [case for case in planned.cases if case.label == file.selector]
    if not chosen:
        labels = [case.label for case in planned.cases if case.label]
        others = f"cases: {', '.join(labels)}" if labels else "the file has a single case, without a name"
        hint = did_you_mean(file.selector, labels, others)
        raise scenario_error(scenario.span, f"there is no case '{file.selector}'", hint)
    return chosen
