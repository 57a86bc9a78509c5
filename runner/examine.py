"""One file: read, planned, linted, and its QMP checked. Imports lint, plan, qmp_check and validate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.discover import Found
from runner.errors import Diagnostic, ScenarioError, did_you_mean, mistake
from runner.lint import lint_library, lint_scenario
from runner.plan import Case, Planned, Walk, dry_run, walk_procedures
from runner.qmp_check import QmpCheck
from runner.scenario import BadFile, Library, Scenario
from runner.validate import Reader


@dataclass(frozen=True)
class Examined:
    """What came of one file.

    :param wrong: what is wrong, by the file that cannot be run for it.
    :param deprecated: what QEMU says it may do without one day.
    """

    wrong: Mapping[str, tuple[Diagnostic, ...]] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    deprecated: tuple[Diagnostic, ...] = ()


def examine(file: Found, reader: Reader, check: QmpCheck | None) -> Examined:
    """Return what there is to run in a file, or what is wrong with it.

    :param check: what checks the QMP of scenarios, None if it is not to be checked.
    """
    match reader.read(file.path, file.shown_as):
        case BadFile() as bad:
            return Examined({bad.path: bad.diagnostics})
        case Scenario() as scenario:
            return _scenario(scenario, file, check)
        case Library() as library:
            return _library(library, file)


def _library(library: Library, file: Found) -> Examined:
    wrong, walks = walk_procedures(library.own.values())
    if wrong:
        return Examined({file.shown_as: tuple(wrong)})
    warnings = tuple(lint_library(library, walks))
    if file.named:
        first = next(iter(library.own.values()))
        error = mistake(first.span, "the file holds procedures and no scenario", "name a scenario that imports it")
        return Examined({file.shown_as: error.diagnostics})
    return Examined(warnings=warnings)


def _scenario(scenario: Scenario, file: Found, check: QmpCheck | None) -> Examined:
    wrong: list[Diagnostic] = []
    warnings: list[Diagnostic] = []
    cases: list[Case] = []
    walks: list[Walk] = []
    try:
        planned = dry_run(scenario)
        walks = planned.walks
        wrong += planned.found
        if not wrong:
            warnings += lint_scenario(scenario, walks)
            cases = _selected(planned, scenario, file)
    except ScenarioError as error:
        wrong += error.diagnostics
    found = check.check(scenario, walks, bool(cases)) if check else []
    deprecated = check.told() if check else []
    wrong += found
    refused = {scenario.path: tuple(dict.fromkeys(wrong))} if wrong else {}
    return Examined(refused, tuple(cases), tuple(warnings), tuple(deprecated))


def _selected(planned: Planned, scenario: Scenario, file: Found) -> list[Case]:
    if not file.selector:
        return planned.cases
    chosen = [case for case in planned.cases if case.label == file.selector]
    if not chosen:
        labels = [case.label for case in planned.cases if case.label]
        hint = did_you_mean(file.selector, labels, f"cases: {', '.join(labels) or 'one only, without a name'}")
        raise mistake(scenario.span, f"there is no case '{file.selector}'", hint)
    return chosen
