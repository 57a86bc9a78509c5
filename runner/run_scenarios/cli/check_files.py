"""`--check`: check all files, and run nothing."""

from __future__ import annotations

from run_scenarios.cli.exit_codes import NOTHING_TO_RUN, WRONG_USAGE
from run_scenarios.cli.options import Options
from run_scenarios.cli.reporters import make_check_reports
from run_scenarios.collection.collector import collect_and_check_qmp
from run_scenarios.collection.discover import describe_no_scenarios
from run_scenarios.core.events import DiagnosticsFound
from run_scenarios.report.stream import LineStream


def execute(options: Options, stdout: LineStream, stderr: LineStream) -> int:
    """Print all findings."""
    collection = collect_and_check_qmp(options.collection)
    make_check_reports(stderr)(DiagnosticsFound(tuple(collection.findings)))
    if collection.qmp_problem:
        stderr.write(f"run-scenarios: QMP was not checked: {collection.qmp_problem}")
    if collection.invalid_files or (options.strict and any(each.code for each in collection.warnings)):
        return WRONG_USAGE
    if collection.cases or options.allow_empty:
        return 0
    stderr.write(f"run-scenarios: nothing to check: {describe_no_scenarios(options.collection.paths)}")
    return NOTHING_TO_RUN
