"""`--save-qmp-schema`: save the QMP schema that QEMU reports."""

from __future__ import annotations

import asyncio

from run_scenarios.cli.options import Options
from run_scenarios.cli.report_files import check_report_files
from run_scenarios.qemu.builds import find_builds_under_test
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qmp.introspection import save_schemas
from run_scenarios.report.stream import LineStream


def execute(options: Options, stdout: LineStream, stderr: LineStream) -> int:
    """Write the file."""
    assert options.saved_schema
    check_report_files({"--save-qmp-schema": options.saved_schema})
    (build,) = find_builds_under_test(options.collection.programs)
    guardian = Guardian.start()
    try:
        asyncio.run(save_schemas(build.programs, guardian, options.saved_schema))
    finally:
        guardian.stop()
    return 0
