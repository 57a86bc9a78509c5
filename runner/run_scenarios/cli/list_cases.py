"""`--list`: print the names of the selected cases."""

from __future__ import annotations

from pathlib import Path

from run_scenarios.cli.exit_codes import NOTHING_TO_RUN, WRONG_USAGE
from run_scenarios.cli.options import Options
from run_scenarios.collection.collector import collect
from run_scenarios.collection.history import load_history
from run_scenarios.collection.listing import format_case
from run_scenarios.collection.select import select_cases
from run_scenarios.core.events import DiagnosticsFound
from run_scenarios.qemu.builds import find_builds_under_test
from run_scenarios.report.console import ConsoleReport
from run_scenarios.report.stream import LineStream


def execute(options: Options, stdout: LineStream, stderr: LineStream) -> int:
    """Print a line per case."""
    chosen = options.collection
    collection = collect(chosen.paths, chosen.overrides, allow_outside=chosen.allow_outside)
    errors = tuple(each for each in collection.findings if each.severity == "error")
    ConsoleReport(stderr)(DiagnosticsFound(errors))
    builds = find_builds_under_test(chosen.programs, must_exist=False)
    selection = select_cases(options.selection, collection, builds, load_history(Path.cwd()))
    stderr.write(*(f"run-scenarios: {note}" for note in selection.notes))
    stdout.write(*(format_case(task, as_json=options.list_as_json) for task in selection.tasks))
    if collection.invalid_files:
        return WRONG_USAGE
    if not selection.tasks:
        stderr.write(f"run-scenarios: nothing to run: {selection.reason}")
    return 0 if selection.tasks or options.allow_empty else NOTHING_TO_RUN
