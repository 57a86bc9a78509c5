"""The QMP check of what was collected, against the QEMU under test or a saved schema. Imports collect, options."""

from __future__ import annotations

import argparse
from pathlib import Path

from run_scenarios.collection.collector import Collection, collect
from run_scenarios.core.errors import SetupError, UsageError
from run_scenarios.qemu.builds import builds_of
from run_scenarios.qemu.programs import Programs
from run_scenarios.qmp.introspection import (
    ProgramSchemas,
    SavedSchemas,
    SchemaProvider,
    load_schemas,
    save_schemas,
)
from run_scenarios.qmp.requirements import find_unmet_requirement
from run_scenarios.qmp.schema import QmpSchema
from run_scenarios.qmp.step_checker import QmpChecker
from run_scenarios.scenario.model import Requirements


def collect_and_check(options: argparse.Namespace) -> tuple[Collection, str]:
    """Collect what the options name and check its QMP; return also why that was not possible, "" if it was.

    No program is started for it unless something is to be run, or `--check` asks for it.

    :raise SetupError: if the file that `--qmp-schema` names is none.
    :raise UsageError: if tools are named as often as fits no number of builds.
    """
    saved = load_schemas(options.qmp_schema) if options.qmp_schema else None
    try:
        builds = builds_of(options) if saved is None else ()
    except UsageError:
        raise
    except SetupError as error:
        return collect(options.paths, options.define, allow_outside=options.allow_outside), str(error)
    if saved is not None:
        checks = {"": make_qmp_check(None, SavedSchemas(saved))}
        schemas = {}
    else:
        schemas = {build.label: ProgramSchemas(build.programs, may_ask=options.check) for build in builds}
        checks = {build.label: make_qmp_check(build.programs, schemas[build.label]) for build in builds}
    collection = collect(options.paths, options.define, checks, allow_outside=options.allow_outside)
    known = [each.find("qemu", is_run=False) for each in schemas.values()]
    collection.builds = builds
    collection.qemus += [str(schema) for schema in known if isinstance(schema, QmpSchema)]
    return collection, "; ".join(filter(None, (each.problem for each in schemas.values())))


def make_qmp_check(programs: Programs | None, schemas: SchemaProvider) -> QmpChecker:
    """Return what checks the QMP of scenarios for one build.

    :param programs: what the build can do besides QMP, None if there is no more than a saved schema.
    """
    return QmpChecker(schemas, lambda requires, schema: _skipped(requires, programs, schema))


def load_qmp_schema(options: argparse.Namespace) -> QmpSchema:
    """Return what the QEMU under test speaks, or what the file says that `--qmp-schema` names.

    :raise SetupError: if QEMU cannot be asked, or the file is none.
    """
    saved = load_schemas(options.qmp_schema) if options.qmp_schema else None
    schemas: SchemaProvider = (
        SavedSchemas(saved) if saved else ProgramSchemas(builds_of(options)[0].programs, may_ask=True)
    )
    schema = schemas.find("qemu", is_run=False)
    if not isinstance(schema, QmpSchema):
        raise SetupError(schemas.problem)
    return schema


def save_qmp_schema(options: argparse.Namespace, file: Path) -> None:
    """Write the file for `--qmp-schema`.

    :raise SetupError: if QEMU cannot be asked, or the file cannot be written.
    """
    import asyncio

    from run_scenarios.qemu.guardian import Guardian

    programs, guardian = builds_of(options)[0].programs, Guardian.start()
    try:
        asyncio.run(save_schemas(programs, guardian, file))
    finally:
        guardian.stop()


def _skipped(requires: Requirements, programs: Programs | None, schema: QmpSchema) -> str:
    try:
        return find_unmet_requirement(requires, programs, schema)
    except SetupError:
        # The run will say so, in the place of each case.
        return ""
