"""The reports that the options ask for, and where they go. Imports options, report and signals."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from runner.errors import SetupError
from runner.model import Emit, Event, RunAborted
from runner.report.annotations import Annotations
from runner.report.console import ConsoleReport
from runner.report.screen import Screen
from runner.report.stream import LineStream
from runner.report.summary import Summary
from runner.report.tap import TapReport
from runner.signals import Interrupted

OUTSIDE = (SetupError, OSError)


class Broadcast:
    """Hands every event to every report."""

    def __init__(self, *reports: Emit) -> None:
        self._reports = reports

    def __call__(self, event: Event) -> None:
        """Take an event."""
        for report in self._reports:
            report(event)


def messages(stderr: LineStream) -> Broadcast:
    """Return the reports of a command that runs nothing: findings, for people and for GitHub."""
    return Broadcast(ConsoleReport(stderr), Annotations(stderr))


@contextlib.contextmanager
def reports(
    options: argparse.Namespace, stdout: LineStream, stderr: LineStream, expected: Mapping[str, float]
) -> Iterator[Broadcast]:
    """Yield what hands the events of a run to every report; whatever ends the run, the reports say so.

    :param expected: seconds that cases took before, by name.
    :raise OSError: if a report cannot be written.
    """
    with ExitStack() as files:
        try:
            tap = files.enter_context(report_file(options.tap)) if options.tap else stdout
        except OSError as error:
            TapReport(stdout)(RunAborted(str(error)))
            raise
        watched: list[Emit] = [TapReport(tap), ConsoleReport(stderr), Annotations(stderr)]
        if isinstance(stderr, Screen) and not (tap is stdout and stdout.is_terminal):
            from runner.report.progress import Progress

            watched.append(Progress(stderr, expected))
        every = Broadcast(*watched, Summary(stderr))
        try:
            yield every
        except (Exception, Interrupted) as error:
            every(RunAborted(reason_of(error)))
            raise


@contextlib.contextmanager
def report_file(file: Path) -> Iterator[LineStream]:
    """Yield the stream for a report in a file, which gets its name only once it is complete.

    The report of an earlier run goes first, lest it be taken for this one's. What is no regular file is written as is.

    :raise OSError: if the file cannot be written.
    """
    special = file.exists() and not file.is_file()
    part = file if special else file.with_name(file.name + ".part")
    if not special:
        file.unlink(missing_ok=True)
    with part.open("w", encoding="utf-8", newline="\n", errors="replace") as text:
        stream = LineStream(text)
        try:
            yield stream
        finally:
            if not special and not stream.closed:
                part.replace(file)


def reason_of(error: BaseException) -> str:
    """Return why a run ended early, in a line."""
    known = isinstance(error, (*OUTSIDE, Interrupted))
    return str(error) if known else f"internal error: {type(error).__name__}: {error}"
