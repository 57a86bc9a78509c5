"""The QMP check of what was collected, against the QEMU under test or a saved schema. Imports collect, options."""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.collect import Collection, collect
from runner.errors import SetupError
from runner.introspection import Schemas, load_schemas, save_schemas
from runner.options import programs_of
from runner.programs import Programs
from runner.qapi import Schema
from runner.qmp_check import QmpCheck
from runner.requirements import unmet
from runner.scenario import Requirements


def collect_checked(options: argparse.Namespace) -> tuple[Collection, str]:
    """Collect what the options name and check its QMP; return also why that was not possible, "" if it was.

    No program is started for it unless something is to be run, or `--check` asks for it.

    :raise SetupError: if the file that `--qmp-schema` names is none.
    """
    saved = load_schemas(options.qmp_schema) if options.qmp_schema else None
    try:
        programs = programs_of(options) if saved is None else None
    except SetupError as error:
        return collect(options.paths, allow_outside=options.allow_outside), str(error)
    schemas = Schemas(programs, saved, may_ask=options.check)
    check = QmpCheck(schemas, lambda requires, schema: _skipped(requires, programs, schema))
    return collect(options.paths, check, allow_outside=options.allow_outside), schemas.problem


def qmp_at_hand(options: argparse.Namespace) -> Schema:
    """Return what the QEMU under test speaks, or what the file says that `--qmp-schema` names.

    :raise SetupError: if QEMU cannot be asked, or the file is none.
    """
    saved = load_schemas(options.qmp_schema) if options.qmp_schema else None
    schemas = Schemas(None if saved else programs_of(options), saved, may_ask=True)
    schema = schemas("qemu")
    if schema is None:
        raise SetupError(schemas.problem)
    return schema


def save(options: argparse.Namespace, file: Path) -> None:
    """Write the file for `--qmp-schema`.

    :raise SetupError: if QEMU cannot be asked, or the file cannot be written.
    """
    import asyncio

    from runner.guardian import Guardian

    programs, guardian = programs_of(options), Guardian.start()
    try:
        asyncio.run(save_schemas(programs, guardian, file))
    finally:
        guardian.stop()


def _skipped(requires: Requirements, programs: Programs | None, schema: Schema) -> str:
    try:
        return unmet(requires, programs, schema)
    except SetupError:
        # The run will say so, in the place of each case.
        return ""
