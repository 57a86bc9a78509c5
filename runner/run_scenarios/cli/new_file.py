"""`--new`: write a template scenario."""

from __future__ import annotations

import shlex

from run_scenarios.authoring.template import CannotWriteTemplate, write_template
from run_scenarios.cli.exit_codes import WRONG_USAGE
from run_scenarios.cli.options import Options
from run_scenarios.report.stream import LineStream


def execute(options: Options, stdout: LineStream, stderr: LineStream) -> int:
    """Write the file."""
    assert options.new_file
    try:
        write_template(options.new_file)
    except CannotWriteTemplate as error:
        stderr.write(f"run-scenarios: error: {error}")
        return WRONG_USAGE
    stdout.write(f"wrote {options.new_file}; run it: run-scenarios {shlex.quote(str(options.new_file))}")
    return 0
