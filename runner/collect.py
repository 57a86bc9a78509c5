"""Paths on the command line to the cases to run, and the files that cannot. Imports discover, lint and plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.bounded import TooMuch, bounded
from runner.discover import Found, discover
from runner.errors import Diagnostic, ScenarioError, Source, Span, did_you_mean, mistake
from runner.lint import lint_library, lint_scenario
from runner.model import Point
from runner.plan import Case, Visit, Walk, dry_run, walk_procedures
from runner.qmp_check import QmpCheck, speaks_qmp
from runner.validate import BadFile, Library, Reader, Scenario

FILE_S = 1.0


@dataclass(frozen=True)
class Walked:
    """A scenario that could be read, and the steps of each of its cases that the dry walk came by and speak QMP."""

    scenario: Scenario
    cases: list[list[Visit]]


@dataclass
class Collection:
    """What is to be run, and what cannot be."""

    bad: list[BadFile] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    walked: list[Walked] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)

    @property
    def points(self) -> tuple[Point, ...]:
        """Every line of the report, wrong files first."""
        wrong = (Point(f"{bad.path} (invalid scenario file)", bad.path) for bad in self.bad)
        return (*wrong, *(case.point for case in self.cases))

    @property
    def findings(self) -> list[Diagnostic]:
        """Everything found, each once, by its place."""
        every = dict.fromkeys([*self.warnings, *(each for bad in self.bad for each in bad.diagnostics)])
        return sorted(every, key=lambda each: each.place)

    def add_bad(self, path: str, diagnostics: tuple[Diagnostic, ...]) -> None:
        """Add a file that cannot be run, unless it is there already."""
        if not any(bad.path == path for bad in self.bad):
            self.bad.append(BadFile(path, diagnostics))

    def refuse(self, path: str, diagnostics: tuple[Diagnostic, ...]) -> None:
        """Add to what is wrong with a file, and take its cases out."""
        known = [each for bad in self.bad if bad.path == path for each in bad.diagnostics]
        self.bad = [bad for bad in self.bad if bad.path != path]
        self.bad.append(BadFile(path, tuple(dict.fromkeys((*known, *diagnostics)))))
        self.cases = [case for case in self.cases if case.scenario.path != path]


def check_qmp(collection: Collection, check: QmpCheck) -> None:
    """Check the QMP of every scenario that could be read, and refuse those where it is wrong."""
    for walked in collection.walked:
        found = check.check(walked.scenario, walked.cases)
        if found:
            collection.refuse(walked.scenario.path, tuple(found))
    collection.warnings += check.warnings


def collect(paths: Iterable[str], *, allow_outside: bool = False) -> Collection:
    """Load, validate and plan every file the paths mean; all mistakes are collected before anything runs.

    A directory without a scenario is a mistake only where something else was found.

    :param allow_outside: let the files that say so leave the case's directory.
    """
    collection, reader = Collection(), Reader(allow_outside=allow_outside)
    found, missing = discover(paths)
    for lost in missing:
        if found or not lost.is_empty_directory:
            collection.add_bad(lost.path, (lost.diagnostic,))
    for file in found:
        try:
            with bounded("checking this file", FILE_S):
                _add(file, collection, reader)
        except TooMuch as error:
            whole = Diagnostic(Span(Source(file.shown_as, ""), 1, 1), str(error), "split it, or loop less")
            collection.add_bad(file.shown_as, (whole,))
        except ScenarioError as error:
            collection.add_bad(file.shown_as, error.diagnostics)
    return collection


def _add(file: Found, collection: Collection, reader: Reader) -> None:
    match reader.read(file.path, file.shown_as):
        case BadFile() as bad:
            collection.add_bad(bad.path, bad.diagnostics)
        case Scenario() as scenario:
            planned = dry_run(scenario)
            speaking = [[each for each in walk if speaks_qmp(each)] for walk in planned.walks]
            collection.walked.append(Walked(scenario, speaking))
            if planned.found:
                raise ScenarioError(*planned.found)
            collection.warnings += lint_scenario(scenario, planned.walks)
            collection.cases += _selected(planned.cases, file)
        case Library() as library:
            walks = _library_walks(library, file)
            collection.warnings += lint_library(library, walks)


def _library_walks(library: Library, file: Found) -> list[Walk]:
    wrong, walks = walk_procedures(library.own.values())
    if wrong:
        raise ScenarioError(*wrong)
    if file.named:
        first = next(iter(library.own.values()))
        raise mistake(first.span, "the file holds procedures and no scenario", "name a scenario that imports it")
    return walks


def _selected(cases: list[Case], file: Found) -> list[Case]:
    if not file.selector:
        return cases
    chosen = [case for case in cases if case.label == file.selector]
    if not chosen:
        labels = [case.label for case in cases if case.label]
        hint = did_you_mean(file.selector, labels, f"cases: {', '.join(labels) or 'one only, without a name'}")
        raise mistake(cases[0].scenario.span, f"there is no case '{file.selector}'", hint)
    return chosen
