"""`--print-rules`: print the reference of all lint rules."""

from __future__ import annotations

from run_scenarios.authoring.explain import render_rule_reference
from run_scenarios.cli.options import Options
from run_scenarios.report.stream import LineStream


def execute(options: Options, stdout: LineStream, stderr: LineStream) -> int:
    """Print the reference."""
    stdout.write(render_rule_reference())
    return 0
