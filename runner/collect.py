"""Paths on the command line to the cases to run, and the files that cannot. Imports discover, examine and forked."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from runner.discover import Found, discover
from runner.errors import Diagnostic
from runner.examine import Examined, examine
from runner.forked import spread
from runner.model import Point
from runner.plan import Case
from runner.qmp_check import QmpCheck
from runner.scenario import BadFile
from runner.validate import Reader

WORTH_A_PROCESS = 150
"""How many files take as long to read as a process takes to start and to hand over what it has read."""


@dataclass
class Collection:
    """What is to be run, and what cannot be."""

    cases: list[Case] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)
    wrong: dict[str, dict[Diagnostic, None]] = field(default_factory=dict)
    deprecated: dict[str, Diagnostic] = field(default_factory=dict)

    @property
    def bad(self) -> list[BadFile]:
        """The files that cannot be run, and why."""
        return [BadFile(path, tuple(found)) for path, found in self.wrong.items()]

    @property
    def points(self) -> tuple[Point, ...]:
        """Every line of the report, wrong files first."""
        wrong = (Point(f"{path} (invalid scenario file)", path) for path in self.wrong)
        return (*wrong, *(case.point for case in self.cases))

    @property
    def findings(self) -> list[Diagnostic]:
        """Everything found, each once, by its place."""
        wrong = (each for found in self.wrong.values() for each in found)
        every = dict.fromkeys([*self.warnings, *self.deprecated.values(), *wrong])
        return sorted(every, key=lambda each: each.place)

    def refuse(self, path: str, diagnostics: Iterable[Diagnostic]) -> None:
        """Add to what is wrong with a file."""
        self.wrong.setdefault(path, {}).update(dict.fromkeys(diagnostics))

    def add(self, file: Examined) -> None:
        """Add what came of a file; what is deprecated is told once for each name."""
        for path, diagnostics in file.wrong.items():
            self.refuse(path, diagnostics)
        self.cases += file.cases
        self.warnings += file.warnings
        for each in file.deprecated:
            self.deprecated.setdefault(each.message, each)


def collect(paths: Iterable[str], check: QmpCheck | None = None, *, allow_outside: bool = False) -> Collection:
    """Load, validate, plan and check every file the paths mean; all mistakes are collected before anything runs.

    A directory without a scenario is a mistake only where something else was found.

    :param check: what checks the QMP of scenarios, None if it is not to be checked.
    :param allow_outside: let the files that say so leave the case's directory.
    """
    collection = Collection()
    found, missing = discover(paths)
    for lost in missing:
        if found or not lost.is_empty_directory:
            collection.refuse(lost.path, (lost.diagnostic,))
    with _no_garbage():
        for file in _examined(found, Reader(allow_outside=allow_outside), check):
            collection.add(file)
    collection.cases = [case for case in collection.cases if case.file.path not in collection.wrong]
    return collection


def _examined(files: Sequence[Found], reader: Reader, check: QmpCheck | None) -> Iterator[Examined]:
    work = partial(examine, reader=reader, check=check)
    processes = min(len(os.sched_getaffinity(0)), len(files) // WORTH_A_PROCESS)
    if processes < 2:
        return map(work, files)
    if check:
        check.prepare()
    return spread(work, files, processes)


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
