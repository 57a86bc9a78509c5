"""Paths on the command line to the cases to run, and the files that cannot.

Imports builds, checked, discover, examine and forked.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from run_scenarios.collection.check_file import CheckedFile, check_file
from run_scenarios.collection.discover import FoundFile, discover
from run_scenarios.collection.variable_overrides import VariableOverrides, parse_overrides
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import JsonObject
from run_scenarios.core.worker_pool import map_in_order
from run_scenarios.qemu.builds import Build
from run_scenarios.qmp.step_checker import QmpChecker
from run_scenarios.scenario.case import Case
from run_scenarios.scenario.model import InvalidFile
from run_scenarios.scenario.parser import Reader

NO_CHECKS: Mapping[str, QmpChecker] = MappingProxyType({})
WORTH_A_PROCESS = 150
"""How many files take as long to read as a process takes to start and to hand over what it has read."""


@dataclass
class Collection:
    """What can be run, and what cannot be.

    :param wrong: what is wrong with files, by their name, and the label of the one build it is wrong for or "".
    :param builds: those that the QMP was checked on.
    :param qemus: what the builds under test say they are.
    """

    definitions: VariableOverrides = field(default_factory=lambda: VariableOverrides({}))
    cases: list[Case] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)
    wrong: dict[tuple[str, str], dict[Diagnostic, None]] = field(default_factory=dict)
    deprecated: dict[str, Diagnostic] = field(default_factory=dict)
    builds: tuple[Build, ...] = ()
    qemus: list[str] = field(default_factory=list)

    @property
    def bad(self) -> list[InvalidFile]:
        """The files that cannot be run, and why."""
        return [InvalidFile(path, tuple(found), label) for (path, label), found in self.wrong.items()]

    @property
    def findings(self) -> list[Diagnostic]:
        """Everything found, each once, by its place."""
        wrong = (each for found in self.wrong.values() for each in found)
        every = dict.fromkeys([*self.warnings, *self.deprecated.values(), *wrong])
        return sorted(every, key=lambda each: each.sort_key)

    def refuse(self, path: str, diagnostics: Iterable[Diagnostic], label: str = "") -> None:
        """Add to what is wrong with a file, on the build of this label or on any."""
        self.wrong.setdefault((path, label), {}).update(dict.fromkeys(diagnostics))

    def runs_on(self, case: Case, label: str) -> bool:
        """Tell whether a case was not refused for the build of this label."""
        return (case.file.path, label) not in self.wrong

    def add(self, file: CheckedFile) -> None:
        """Add what came of a file; what is deprecated is told once for each name."""
        for (path, label), diagnostics in file.wrong.items():
            self.refuse(path, diagnostics, label)
        self.cases += self.definitions.restrict(file.cases)
        self.warnings += file.warnings
        for each in file.deprecated:
            self.deprecated.setdefault(each.message, each)


def collect(
    paths: Sequence[str],
    definitions: Iterable[str] = (),
    checks: Mapping[str, QmpChecker] = NO_CHECKS,
    *,
    allow_outside: bool = False,
) -> Collection:
    """Load, validate, plan and check every file the paths mean; all mistakes are collected before anything runs.

    A directory without a scenario is a mistake only where something else was found.

    :param definitions: `name=value` texts: what the command line gives for variables, and wants of a matrix.
    :param checks: what checks the QMP of scenarios, by the label of the build, "" if there is one only.
    :param allow_outside: let the files that say so leave the case's directory.
    :raise UsageError: if a definition cannot be read.
    """
    collection = Collection(VariableOverrides(parse_overrides(definitions)))
    found, missing = discover(paths)
    for lost in missing:
        if found or not lost.is_empty_directory:
            collection.refuse(lost.path, (lost.diagnostic,))
    with _no_garbage():
        for checked in _examined(found, Reader(allow_outside=allow_outside), checks, collection.definitions.values):
            collection.add(checked)
    right = {case.selector: case for case in collection.cases if collection.runs_on(case, "")}
    # A file may have been named as a whole, and for one of its cases too.
    collection.cases = list(right.values())
    return collection


def _examined(
    files: Sequence[FoundFile], reader: Reader, checks: Mapping[str, QmpChecker], given: JsonObject
) -> Iterator[CheckedFile]:
    work = partial(check_file, reader=reader, checks=checks, given=given)
    processes = min(len(os.sched_getaffinity(0)), len(files) // WORTH_A_PROCESS)
    if processes < 2:
        return map(work, files)
    for check in checks.values():
        check.load_schemas()
    return map_in_order(work, files, processes)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Spare Python the search for circles among the millions of values that nodes are made of: they have none."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
