"""Collect the cases of scenario files, and check the files."""

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
from run_scenarios.collection.options import CollectionOptions
from run_scenarios.collection.variable_overrides import VariableOverrides
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.errors import SetupError, UsageError
from run_scenarios.core.nodes import JsonObject
from run_scenarios.core.worker_pool import map_in_order
from run_scenarios.qemu.builds import Build, find_builds_under_test
from run_scenarios.qemu.programs import Programs
from run_scenarios.qmp.introspection import ProgramSchemas, SavedSchemas, SchemaProvider, load_schemas
from run_scenarios.qmp.requirements import find_unmet_requirement
from run_scenarios.qmp.schema import QmpSchema
from run_scenarios.qmp.step_checker import QmpChecker
from run_scenarios.scenario.case import Case
from run_scenarios.scenario.model import InvalidFile, Requirements
from run_scenarios.scenario.parser import Reader

NO_CHECKERS: Mapping[str, QmpChecker] = MappingProxyType({})
MIN_FILES_PER_PROCESS = 40
"""With fewer files, starting a process takes longer than it saves."""


@dataclass
class Collection:
    """Cases that can run, and everything found wrong.

    :param errors: the errors of each file, by its name and the label of the build they apply to, "" for any build.
    :param deprecated: uses of what QEMU has deprecated, one for each message.
    :param builds: the builds that the QMP was checked against.
    :param qemus: the versions that the builds report.
    :param qmp_problem: why the QMP was not checked, "" if it was.
    """

    paths: Sequence[str] = ()
    overrides: VariableOverrides = field(default_factory=VariableOverrides)
    cases: list[Case] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)
    errors: dict[tuple[str, str], dict[Diagnostic, None]] = field(default_factory=dict)
    deprecated: dict[str, Diagnostic] = field(default_factory=dict)
    builds: tuple[Build, ...] = ()
    qemus: list[str] = field(default_factory=list)
    qmp_problem: str = ""

    @property
    def invalid_files(self) -> list[InvalidFile]:
        """The files that cannot run, and why."""
        return [InvalidFile(path, tuple(found), label) for (path, label), found in self.errors.items()]

    @property
    def findings(self) -> list[Diagnostic]:
        """All errors and warnings, without duplicates, sorted by place."""
        errors = (each for found in self.errors.values() for each in found)
        unique = dict.fromkeys([*self.warnings, *self.deprecated.values(), *errors])
        return sorted(unique, key=lambda each: each.sort_key)

    def add_errors(self, path: str, diagnostics: Iterable[Diagnostic], label: str = "") -> None:
        """Add errors of a file that apply to the build of this label, or to any build."""
        self.errors.setdefault((path, label), {}).update(dict.fromkeys(diagnostics))

    def can_run(self, case: Case, label: str) -> bool:
        """Return whether a case's file has no error for the build of this label."""
        return (case.file.path, label) not in self.errors

    def add_file(self, file: CheckedFile) -> None:
        """Add the result of checking a file."""
        for (path, label), diagnostics in file.errors.items():
            self.add_errors(path, diagnostics, label)
        self.cases += self.overrides.filter_cases(file.cases)
        self.warnings += file.warnings
        for each in file.deprecated:
            self.deprecated.setdefault(each.message, each)


def collect(
    paths: Sequence[str],
    overrides: Iterable[str] = (),
    checkers: Mapping[str, QmpChecker] = NO_CHECKERS,
    *,
    allow_outside: bool = False,
) -> Collection:
    """Check every file that the paths mean, and collect its cases; continue after errors to find them all.

    A directory without a scenario is an error only if another path has one.

    :param overrides: `NAME=VALUE` texts for variables and dimensions of matrices.
    :param checkers: a QMP checker for each build, by its label.
    :param allow_outside: trust the files that say `allow-outside-paths`.
    :raise UsageError: for an override that cannot be parsed.
    """
    collection = Collection(paths, VariableOverrides(overrides))
    found, missing = discover(paths)
    for each in missing:
        if found or not each.is_empty_directory:
            collection.add_errors(each.path, (each.diagnostic,))
    with _garbage_collection_paused():
        for file in _check_files(
            found, Reader.from_disk(allow_outside=allow_outside), checkers, collection.overrides.values
        ):
            collection.add_file(file)
    # A case can be named twice: by its file, and by FILE::CASE.
    unique = {case.selector: case for case in collection.cases if collection.can_run(case, "")}
    collection.cases = list(unique.values())
    return collection


def collect_and_check_qmp(options: CollectionOptions) -> Collection:
    """Collect cases and check their QMP against each build, or against a saved schema.

    If QEMU cannot be found or asked, `Collection.qmp_problem` says why.

    :raise SetupError: if the saved schema cannot be read.
    :raise UsageError: if the number of programs named for a tool does not match the number of builds.
    """
    if options.qmp_schema:
        checker = make_qmp_checker(None, SavedSchemas(load_schemas(options.qmp_schema)))
        return collect(options.paths, options.overrides, {"": checker}, allow_outside=options.allow_outside)
    try:
        builds = find_builds_under_test(options.programs)
    except UsageError:
        raise
    except SetupError as error:
        # What does not depend on QEMU is checked all the same.
        checkers = {"": make_qmp_checker(None, SavedSchemas({}))}
        collection = collect(options.paths, options.overrides, checkers, allow_outside=options.allow_outside)
        collection.qmp_problem = str(error)
        return collection
    schemas = {each.label: ProgramSchemas(each.programs, may_ask=options.may_start_qemu) for each in builds}
    checkers = {each.label: make_qmp_checker(each.programs, schemas[each.label]) for each in builds}
    collection = collect(options.paths, options.overrides, checkers, allow_outside=options.allow_outside)
    known = [each.find("qemu", is_run=False) for each in schemas.values()]
    collection.builds = builds
    collection.qemus += [str(schema) for schema in known if isinstance(schema, QmpSchema)]
    collection.qmp_problem = "; ".join(filter(None, (each.problem for each in schemas.values())))
    return collection


def make_qmp_checker(programs: Programs | None, schemas: SchemaProvider) -> QmpChecker:
    """Return the QMP checker for one build.

    :param programs: the programs of the build, None if there is only a saved schema.
    """
    return QmpChecker(schemas, lambda requires, schema: _find_unmet_requirement(requires, programs, schema))


def _find_unmet_requirement(requires: Requirements, programs: Programs | None, schema: QmpSchema) -> str:
    try:
        return find_unmet_requirement(requires, programs, schema)
    except SetupError:
        # The run reports this for each case.
        return ""


def _check_files(
    files: Sequence[FoundFile], reader: Reader, checkers: Mapping[str, QmpChecker], overrides: JsonObject
) -> Iterator[CheckedFile]:
    check = partial(check_file, reader=reader, checkers=checkers, overrides=overrides)
    processes = min(len(os.sched_getaffinity(0)), len(files) // MIN_FILES_PER_PROCESS)
    if processes < 2:
        return map(check, files)
    for checker in checkers.values():
        checker.load_schemas()
    return map_in_order(check, files, processes)


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Pause the garbage collector, which would scan millions of nodes and find no cycles."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
