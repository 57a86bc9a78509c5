"""The command `run-scenarios`: options, the stages one after the other, the exit status."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from runner import __version__
from runner.discover import Found, Missing, discover
from runner.errors import Diagnostic, ScenarioError, SetupError, did_you_mean, mistake
from runner.execute import Settings, execute
from runner.guardian import Guardian
from runner.model import CaseFinished, Event, Failure, Outcome, Point, Result, RunFinished, RunStarted
from runner.plan import Case, check_procedures, plan
from runner.programs import TOOLS, find_programs
from runner.reference import published_schema, step_reference
from runner.report.console import ConsoleReport
from runner.report.tap import TapReport
from runner.validate import BadFile, Library, Reader, Scenario
from runner.workdir import Workspace

USAGE, BROKEN, NOTHING = 2, 3, 5
MAX_DIAGNOSTICS = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0 all passed, were skipped or are known failures; 1 a test failed; 2 wrong usage or a wrong scenario; 3 no run was
    possible, or a bug of ours; 5 nothing to run; 128+N stopped by signal N.
    """
    options = _parser().parse_args(arguments)
    if options.print_schema:
        print(published_schema())
        return 0
    if options.print_reference:
        print(step_reference())
        return 0
    return _run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run-scenarios",
        description="Run declarative test scenarios against QEMU's block layer, and report TAP on standard output.",
        epilog="TEST_DIR is where case directories are made. Exit status: 0 passed, 1 failed, 2 wrong usage or "
        "scenario, 3 cannot run, 5 nothing to run, 128+N stopped by signal N.",
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="a scenario file, a directory of them, or FILE::CASE")
    parser.add_argument("-j", "--jobs", type=_positive, default=default_jobs(), help="cases at a time (%(default)s)")
    parser.add_argument("--list", action="store_true", help="print the names of the cases, and run none")
    parser.add_argument("--artifacts", type=Path, metavar="DIR", help="keep a directory per case, with its trace")
    parser.add_argument("--keep", action="store_true", help="keep the images of every case too")
    parser.add_argument("--tap", type=Path, metavar="FILE", help="write the TAP report to FILE once it is complete")
    parser.add_argument("--allow-empty", action="store_true", help="finding nothing to run is no failure")
    for tool, variable in TOOLS.items():
        parser.add_argument(f"--{tool}", metavar="PROG", help=f"the {tool} under test (else {variable}, else on PATH)")
    parser.add_argument("--print-schema", action="store_true", help="print the JSON Schema of scenario files")
    parser.add_argument("--print-reference", action="store_true", help="print the reference of all steps")
    parser.add_argument("--version", action="version", version=f"run-scenarios {__version__}")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def default_jobs() -> int:
    """Return how many cases to run at a time: some more than there are processors, for a case waits for the disk."""
    return len(os.sched_getaffinity(0)) + 1


@dataclass
class _Plan:
    """What is to be run, and what cannot be."""

    bad: list[BadFile] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)

    @property
    def points(self) -> tuple[Point, ...]:
        """Every line of the report, wrong files first."""
        wrong = (Point(f"{bad.path} (invalid scenario file)", bad.path) for bad in self.bad)
        return (*wrong, *(case.point for case in self.cases))

    def add_bad(self, path: str, diagnostics: tuple[Diagnostic, ...]) -> None:
        if not any(bad.path == path for bad in self.bad):
            self.bad.append(BadFile(path, diagnostics))


def _run(options: argparse.Namespace) -> int:
    if not options.paths:
        print("run-scenarios: error: no PATH given; try 'run-scenarios scenarios/'", file=sys.stderr)
        return USAGE
    found, missing = discover(options.paths)
    planned = _plan(found, missing)
    _print_diagnostics(planned.bad)
    if options.list:
        _print_lines([case.point.name for case in planned.cases])
        return USAGE if planned.bad else 0
    with _tap_stream(options.tap) as stream:
        return _report(options, planned, TapReport(stream), empty=not found and _only_empty(missing))


def _plan(found: Sequence[Found], missing: Sequence[Missing]) -> _Plan:
    """Load, validate and plan every file; all mistakes are collected before anything runs."""
    planned, reader = _Plan(), Reader()
    for lost in missing:
        planned.add_bad(lost.path, (lost.diagnostic,))
    for file in found:
        content = reader.read(file.path, file.shown_as)
        try:
            match content:
                case BadFile():
                    planned.add_bad(content.path, content.diagnostics)
                case Scenario():
                    planned.cases += _selected(plan(content), file)
                case Library():
                    _check_library(content, file)
        except ScenarioError as error:
            planned.add_bad(file.shown_as, error.diagnostics)
    return planned


def _check_library(library: Library, file: Found) -> None:
    wrong = check_procedures(library.own.values())
    if wrong:
        raise ScenarioError(*wrong)
    if file.named:
        first = next(iter(library.own.values()))
        raise mistake(first.span, "the file holds procedures and no scenario", "name a scenario that imports it")


def _selected(cases: list[Case], file: Found) -> list[Case]:
    if not file.selector:
        return cases
    chosen = [case for case in cases if case.label == file.selector]
    if not chosen:
        labels = [case.label for case in cases if case.label]
        hint = did_you_mean(file.selector, labels, f"cases: {', '.join(labels) or 'one only, without a name'}")
        raise mistake(cases[0].scenario.span, f"there is no case '{file.selector}'", hint)
    return chosen


def _only_empty(missing: Sequence[Missing]) -> bool:
    return all("no scenario in this directory" in each.diagnostic.message for each in missing)


def _print_diagnostics(bad: Sequence[BadFile]) -> None:
    every: list[Diagnostic] = []
    for file in bad:
        every += [each for each in file.diagnostics if each not in every]
    for diagnostic in every[:MAX_DIAGNOSTICS]:
        print(diagnostic.render(), file=sys.stderr)
    if len(every) > MAX_DIAGNOSTICS:
        print(f"… and {len(every) - MAX_DIAGNOSTICS} more", file=sys.stderr)


def _print_lines(lines: Sequence[str]) -> None:
    with contextlib.suppress(BrokenPipeError):
        for line in lines:
            print(line)
        sys.stdout.flush()


def _report(options: argparse.Namespace, planned: _Plan, tap: TapReport, *, empty: bool) -> int:
    if empty or not planned.points:
        reason = f"no scenarios in {' '.join(options.paths)}"
        tap.nothing_to_run(reason, allowed=options.allow_empty)
        return 0 if options.allow_empty else NOTHING
    status = _Status()
    console = ConsoleReport(sys.stderr)

    def emit(event: Event) -> None:
        for take in (tap, console, status):
            take(event)

    if not planned.cases:
        _emit_bad(planned, emit)
        return status.code
    try:
        return _run_cases(options, planned, emit, status)
    except (SetupError, OSError) as error:
        if status.started:
            raise
        print(f"run-scenarios: error: {error}", file=sys.stderr)
        tap.cannot_start(str(error))
        return BROKEN


_Emit = Callable[[Event], None]


def _emit_bad(planned: _Plan, emit: _Emit) -> None:
    emit(RunStarted(planned.points))
    for index, bad in enumerate(planned.bad):
        emit(CaseFinished(index, Result(Outcome.INVALID, failure=Failure(bad.diagnostics[0]))))


def _run_cases(options: argparse.Namespace, planned: _Plan, emit: _Emit, status: _Status) -> int:
    given = {tool: getattr(options, tool.replace("-", "_")) for tool in TOOLS}
    programs = find_programs(given, os.environ)
    guardian = Guardian.start()
    test_dir = Path(os.environ.get("TEST_DIR") or tempfile.gettempdir())
    try:
        workspace = Workspace(test_dir, options.artifacts, options.keep, guardian)
        settings = Settings(programs, workspace, guardian, options.jobs)
        began = time.monotonic()
        _emit_bad(planned, emit)
        stopped_by = asyncio.run(_execute(planned, settings, emit))
        emit(RunFinished(time.monotonic() - began))
        workspace.remove()
    finally:
        guardian.stop()
    return 128 + stopped_by if stopped_by else status.code


async def _execute(planned: _Plan, settings: Settings, emit: _Emit) -> int:
    """Run the cases and return the number of the signal that stopped them, 0 if none did."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[str] = loop.create_future()
    received: list[int] = []

    def interrupt(number: signal.Signals) -> None:
        received.append(number)
        if not stop.done():
            stop.set_result(f"interrupted by {number.name}")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupt, number)
    first = len(planned.bad)
    await execute(list(enumerate(planned.cases, first)), settings, emit, stop)
    return received[0] if received and stop.done() else 0


class _Status:
    """The exit status that the results lead to: the highest wins."""

    def __init__(self) -> None:
        self.code = 0
        self.started = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.started = True
        elif isinstance(event, CaseFinished):
            self.code = max(self.code, event.result.outcome.exit_status)


@contextlib.contextmanager
def _tap_stream(file: Path | None) -> Iterator[IO[str]]:
    """Yield the stream for the report; a file gets its name only once it is complete."""
    if file is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n", errors="replace")
        yield sys.stdout
        return
    part = file.with_name(file.name + ".part")
    with part.open("w", encoding="utf-8", newline="\n", errors="replace") as stream:
        yield stream
    part.replace(file)
