"""One file: read, planned, linted, and its QMP checked. Imports lint, plan, qmp_check and validate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from runner.discover import Found
from runner.errors import Diagnostic, ScenarioError, did_you_mean, mistake
from runner.lint import lint_library, lint_scenario
from runner.nodes import JsonObject
from runner.plan import Case, Planned, Walk, dry_run, walk_procedures
from runner.qmp_check import QmpCheck
from runner.scenario import BadFile, Library, Scenario
from runner.validate import Reader


@dataclass(frozen=True)
class Examined:
    """What came of one file.

    :param wrong: what is wrong, by the file that cannot be run for it, and the label of the build or "" for any.
    :param deprecated: what QEMU says it may do without one day.
    """

    wrong: Mapping[tuple[str, str], tuple[Diagnostic, ...]] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    deprecated: tuple[Diagnostic, ...] = ()


def examine(file: Found, reader: Reader, checks: Mapping[str, QmpCheck], given: JsonObject) -> Examined:
    """Return what there is to run in a file, or what is wrong with it.

    :param checks: what checks the QMP of scenarios, by the label of the build, "" if there is one only.
    :param given: values of variables that take the place of the scenario's own.
    """
    match reader.read(file.path, file.shown_as):
        case BadFile() as bad:
            return Examined({(bad.path, ""): bad.diagnostics})
        case Scenario() as scenario:
            return _scenario(scenario, file, checks, given)
        case Library() as library:
            return _library(library, file)


def _library(library: Library, file: Found) -> Examined:
    wrong, walks = walk_procedures(library.own.values())
    if wrong:
        return Examined({(file.shown_as, ""): tuple(wrong)})
    warnings = tuple(lint_library(library, walks))
    if file.named:
        first = next(iter(library.own.values()))
        error = mistake(first.span, "the file holds procedures and no scenario", "name a scenario that imports it")
        return Examined({(file.shown_as, ""): error.diagnostics})
    return Examined(warnings=warnings)


def _scenario(scenario: Scenario, file: Found, checks: Mapping[str, QmpCheck], given: JsonObject) -> Examined:
    wrong: list[Diagnostic] = []
    warnings: list[Diagnostic] = []
    cases: list[Case] = []
    walks: list[Walk] = []
    try:
        planned = dry_run(scenario, given)
        walks = planned.walks
        wrong += planned.found
        if not wrong:
            warnings += lint_scenario(scenario, walks)
            cases = _selected(planned, scenario, file)
    except ScenarioError as error:
        wrong += error.diagnostics
    refused = {"": wrong} if wrong else {}
    deprecated: list[Diagnostic] = []
    for label, check in checks.items():
        found = check.check(scenario, walks, bool(cases))
        if found:
            refused[label] = [*refused.get(label, []), *(_labelled(each, label) for each in found)]
        deprecated += check.told()
    by_build = {(scenario.path, label): tuple(dict.fromkeys(each)) for label, each in refused.items()}
    return Examined(by_build, tuple(cases), tuple(warnings), tuple(deprecated))


def _labelled(found: Diagnostic, label: str) -> Diagnostic:
    return replace(found, message=f"{found.message} [qemu={label}]") if label else found


def _selected(planned: Planned, scenario: Scenario, file: Found) -> list[Case]:
    if not file.selector:
        return planned.cases
    chosen = [case for case in planned.cases if case.label == file.selector]
    if not chosen:
        labels = [case.label for case in planned.cases if case.label]
        hint = did_you_mean(file.selector, labels, f"cases: {', '.join(labels) or 'one only, without a name'}")
        raise mistake(scenario.span, f"there is no case '{file.selector}'", hint)
    return chosen
