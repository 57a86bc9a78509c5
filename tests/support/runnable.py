"""The shipped scenarios that the QEMU under test does not skip."""

from __future__ import annotations

import asyncio
import functools
import os
from pathlib import Path

from run_scenarios.collection.collector import collect
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.programs import find_programs
from run_scenarios.qmp.introspection import introspect
from run_scenarios.qmp.requirements import find_unmet_requirement
from run_scenarios.scenario.parser import parse_again

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@functools.cache
def find_skipped_files() -> frozenset[Path]:
    """Return the files whose `requires` the QEMU under test does not meet."""
    programs = find_programs({}, os.environ)
    guardian = Guardian.start()
    try:
        schema = asyncio.run(introspect(programs, guardian, "qemu"))
    finally:
        guardian.stop()
    files = {case.file for case in collect([str(SCENARIOS)]).cases}
    return frozenset(
        Path(file.absolute_path)
        for file in files
        if find_unmet_requirement(parse_again(file).requires, programs, schema)
    )
