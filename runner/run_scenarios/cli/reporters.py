"""Open the reports that the options ask for, and send them the events of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile

from run_scenarios import __version__
from run_scenarios.cli.options import ReportOptions
from run_scenarios.cli.report_files import open_report
from run_scenarios.core.errors import SetupError, describe_os_error
from run_scenarios.core.events import Emit, RunAborted, RunEvent
from run_scenarios.core.signals import Interrupted
from run_scenarios.report.annotations import GitHubAnnotations
from run_scenarios.report.console import ConsoleReport
from run_scenarios.report.failure_file import FailureFiles
from run_scenarios.report.job_summary import JobSummary
from run_scenarios.report.screen import Screen
from run_scenarios.report.stream import LineStream
from run_scenarios.report.summary import Summary
from run_scenarios.report.tap import TapReport

EXTERNAL_ERRORS = (SetupError, OSError)


class Broadcast:
    """Passes every event to every report."""

    def __init__(self, *reports: Emit) -> None:
        self._reports = reports

    def __call__(self, event: RunEvent) -> None:
        """Handle an event."""
        for report in self._reports:
            report(event)


def make_check_reports(stderr: LineStream) -> Broadcast:
    """Return the reports for findings alone: the console, and GitHub's annotations."""
    return Broadcast(ConsoleReport(stderr), GitHubAnnotations(stderr))


@contextlib.contextmanager
def open_reports(
    options: ReportOptions, stdout: LineStream, stderr: LineStream, expected: Mapping[str, float]
) -> Iterator[Broadcast]:
    """Open all reports, and yield the function that sends them events; if an exception ends the run, report it too.

    :param expected: the seconds that cases took before, by name.
    :raise OSError: if a report cannot be written.
    :raise SetupError: if a report cannot be opened.
    """
    with ExitStack() as files:
        try:
            tap = files.enter_context(open_report(options.tap)) if options.tap else stdout
            others: list[Emit] = [*_open_files(options, files), JobSummary()]
        except EXTERNAL_ERRORS as error:
            TapReport(stdout)(RunAborted(describe_abort(error)))
            raise
        reports: list[Emit] = [
            TapReport(tap),
            *others,
            ConsoleReport(stderr),
            GitHubAnnotations(stderr),
            FailureFiles(),
        ]
        tap_is_on_terminal = tap is stdout and stdout.is_terminal
        if isinstance(stderr, Screen) and options.may_draw_progress and not tap_is_on_terminal:
            from run_scenarios.report.progress import Progress

            reports.append(Progress(stderr, expected))
        broadcast = Broadcast(*reports, Summary(stderr))
        try:
            yield broadcast
        except (Exception, Interrupted) as error:
            broadcast(RunAborted(describe_abort(error)))
            raise


def _open_files(options: ReportOptions, files: ExitStack) -> Iterator[Emit]:
    """Yield the reports in files, except TAP.

    :raise SetupError: if a file cannot be written.
    """
    if options.junit:
        yield files.enter_context(_open_junit(options.junit))
    if options.html:
        from run_scenarios.report.html import HtmlReport

        yield HtmlReport(files.enter_context(open_report(options.html)), __version__)
    if options.json:
        from run_scenarios.report.json_lines import JsonReport

        stream = files.enter_context(open_report(options.json, in_place=True))
        yield JsonReport(stream, __version__)


@contextlib.contextmanager
def _open_junit(file: Path) -> Iterator[Emit]:
    from run_scenarios.report.junit import JUnitReport

    with open_report(file) as stream, TemporaryFile() as buffer:
        yield JUnitReport(stream, buffer)


def describe_abort(error: BaseException) -> str:
    """Return the reason why a run ended early, in one line."""
    if isinstance(error, OSError):
        return describe_os_error(error)
    known = isinstance(error, (SetupError, Interrupted))
    return str(error) if known else f"internal error: {type(error).__name__}: {error}"
