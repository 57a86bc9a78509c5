"""The reports that the options ask for, and where they go. Imports options, report and signals."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile

from run_scenarios import __version__
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
    """Return the reports of a command that runs nothing: findings, for people and for GitHub."""
    return Broadcast(ConsoleReport(stderr), GitHubAnnotations(stderr))


@contextlib.contextmanager
def reports(
    options: argparse.Namespace, stdout: LineStream, stderr: LineStream, expected: Mapping[str, float]
) -> Iterator[Broadcast]:
    """Yield what hands the events of a run to every report; whatever ends the run, the reports say so.

    :param expected: seconds that cases took before, by name.
    :raise OSError: if a report cannot be written.
    :raise SetupError: if it cannot be begun.
    """
    with ExitStack() as files:
        try:
            tap = files.enter_context(open_report(options.tap)) if options.tap else stdout
            others: list[Emit] = [*_in_files(options, files), JobSummary()]
        except EXTERNAL_ERRORS as error:
            TapReport(stdout)(RunAborted(describe_abort(error)))
            raise
        watched: list[Emit] = [
            TapReport(tap),
            *others,
            ConsoleReport(stderr),
            GitHubAnnotations(stderr),
            FailureFiles(),
        ]
        asks = options.step or options.pause_on_failure
        if isinstance(stderr, Screen) and not asks and not (tap is stdout and stdout.is_terminal):
            from run_scenarios.report.progress import Progress

            watched.append(Progress(stderr, expected))
        every = Broadcast(*watched, Summary(stderr))
        try:
            yield every
        except (Exception, Interrupted) as error:
            every(RunAborted(describe_abort(error)))
            raise


def _in_files(options: argparse.Namespace, files: ExitStack) -> Iterator[Emit]:
    """Yield the reports beside TAP, each with its file open.

    :raise SetupError: if one cannot be written.
    """
    if options.junit:
        yield files.enter_context(_junit(options.junit))
    if options.html:
        from run_scenarios.report.html import HtmlReport

        yield HtmlReport(files.enter_context(open_report(options.html)), __version__)
    if options.json:
        from run_scenarios.report.json_lines import JsonReport

        stream = files.enter_context(open_report(Path(options.json), in_place=True))
        yield JsonReport(stream, __version__)


@contextlib.contextmanager
def _junit(file: Path) -> Iterator[Emit]:
    from run_scenarios.report.junit import JUnitReport

    with open_report(file) as stream, TemporaryFile() as waiting:
        yield JUnitReport(stream, waiting)


@contextlib.contextmanager
def open_report(file: Path, *, in_place: bool = False) -> Iterator[LineStream]:
    """Yield the stream for a report in a file, which gets its name only once it is complete.

    The report of an earlier run goes first, lest it be taken for this one's. What is no regular file is written as is.

    :param in_place: whether the file has its name at once, to be followed as it grows.
    :raise SetupError: if the file cannot be written.
    """
    in_place = in_place or (file.exists() and not file.is_file())
    part = file if in_place else file.with_name(file.name + ".part")
    try:
        if not in_place:
            file.unlink(missing_ok=True)
        opened = part.open("w", encoding="utf-8", newline="\n", errors="replace")
    except OSError as error:
        raise SetupError(f"cannot write {file}: {error.strerror}") from None
    with opened as text:
        stream = LineStream(text)
        try:
            yield stream
        finally:
            if not in_place and not stream.closed:
                part.replace(file)


def describe_abort(error: BaseException) -> str:
    """Return why a run ended early, in a line."""
    if isinstance(error, OSError):
        return describe_os_error(error)
    known = isinstance(error, (SetupError, Interrupted))
    return str(error) if known else f"internal error: {type(error).__name__}: {error}"
