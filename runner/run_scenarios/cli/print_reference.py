"""`--print-reference`: print the reference of all steps."""

from __future__ import annotations

from run_scenarios.authoring.reference import render_step_reference
from run_scenarios.cli.options import Options
from run_scenarios.report.stream import LineStream


def execute(options: Options, stdout: LineStream, stderr: LineStream) -> int:
    """Print the reference."""
    stdout.write(render_step_reference())
    return 0
