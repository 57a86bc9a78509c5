"""`--explain`: explain a verb or a lint rule."""

from __future__ import annotations

from run_scenarios.authoring.explain import UnknownTopic, explain
from run_scenarios.cli.exit_codes import WRONG_USAGE
from run_scenarios.cli.options import Options
from run_scenarios.report.stream import LineStream


def execute(options: Options, stdout: LineStream, stderr: LineStream) -> int:
    """Print the explanation."""
    try:
        stdout.write(explain(options.explained))
    except UnknownTopic as error:
        stderr.write(f"run-scenarios: error: {error}")
        return WRONG_USAGE
    return 0
