"""The command `run-scenarios`: the stages one after the other, and the exit status.

Each option imports what it needs where it needs it, so that none waits for what only others use.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.options import read_options

if TYPE_CHECKING:
    from runner.editor_schema import JsonSchema
    from runner.errors import Diagnostic
    from runner.model import Event
    from runner.report.stream import LineStream
    from runner.report.tap import TapReport

USAGE, BROKEN, NOTHING = 2, 3, 5
MAX_DIAGNOSTICS = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0 all passed, were skipped or are known failures; 1 a test failed; 2 wrong usage or a wrong scenario; 3 no run was
    possible, or a bug of ours; 5 nothing to run; 128+N stopped by signal N.
    """
    options = read_options(arguments)
    from runner.report.stream import LineStream
    from runner.signals import Interrupted, raising_interrupted

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n", errors="replace")
    stdout, stderr = LineStream(sys.stdout), LineStream(sys.stderr)
    try:
        with raising_interrupted():
            return _command(options, stdout, stderr)
    except Interrupted as stop:
        return stop.exit_status
    except Exception as error:
        stderr.write(f"run-scenarios: error: {error}" if _is_outside(error) else _bug_report(error))
        return BROKEN


def _command(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> int:
    if options.print_schema:
        from runner.editor_schema import as_text

        return _print(stdout, [as_text(_schema(options))])
    if options.print_reference:
        from runner.reference import step_reference

        return _print(stdout, [step_reference()])
    if options.print_rules:
        from runner.lint.explain import rule_reference

        return _print(stdout, [rule_reference()])
    if options.explain is not None or options.new:
        return _help(options, stdout, stderr)
    if options.list:
        return _list(options, stdout, stderr)
    if options.check or options.save_qmp_schema:
        return _check(options, stderr)
    return _report(options, stdout, stderr)


def _print(stdout: LineStream, lines: Sequence[str]) -> int:
    stdout.write(*lines)
    return 0


def _schema(options: argparse.Namespace) -> JsonSchema:
    from runner.editor_schema import published_schema

    schema = published_schema()
    if not options.with_qmp:
        return schema
    from runner.check import qmp_at_hand
    from runner.qmp_schema import with_qmp

    return with_qmp(schema, qmp_at_hand(options))


def _help(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> int:
    """Explain a word, or write a scenario to start from."""
    import shlex

    from runner.lint.explain import NothingToExplain, explain
    from runner.starter import CannotStart, write_starter

    try:
        if options.new:
            write_starter(options.new)
            return _print(stdout, [f"wrote {options.new}; run it: run-scenarios {shlex.quote(str(options.new))}"])
        return _print(stdout, [explain(options.explain)])
    except (CannotStart, NothingToExplain) as error:
        stderr.write(f"run-scenarios: error: {error}")
        return USAGE


def _list(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> int:
    from runner.collect import collect

    collection = collect(options.paths)
    stderr.write(*_rendered([each for each in collection.findings if each.severity == "error"]))
    stdout.write(*(case.point.name for case in collection.cases))
    if collection.bad:
        return USAGE
    return 0 if collection.cases or options.allow_empty else NOTHING


def _check(options: argparse.Namespace, stderr: LineStream) -> int:
    """Check everything and run nothing; or save what QEMU speaks."""
    from runner.check import check, save
    from runner.collect import collect
    from runner.report.annotations import Annotations

    if options.save_qmp_schema:
        save(options, options.save_qmp_schema)
        return 0
    collection = collect(options.paths)
    problem = check(options, collection)
    stderr.write(*_rendered(collection.findings))
    Annotations(stderr).add(collection.findings)
    if problem:
        stderr.write(f"run-scenarios: QMP was not checked: {problem}")
    if collection.bad or (options.strict and any(each.code for each in collection.warnings)):
        return USAGE
    return 0 if collection.cases or options.allow_empty else NOTHING


def _report(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> int:
    """Run the stages; whatever ends them, the report says so."""
    from runner.report.tap import TapReport
    from runner.signals import Interrupted

    tap = TapReport(stdout)
    try:
        with _report_file(options.tap) as file:
            tap = TapReport(file or stdout)
            try:
                return _run(options, tap, stderr)
            except (Exception, Interrupted) as error:
                tap.cannot_go_on(_reason(error))
                raise
    except (Exception, Interrupted) as error:
        # A report that has said so already says nothing more.
        tap.cannot_go_on(_reason(error))
        raise


def _run(options: argparse.Namespace, tap: TapReport, stderr: LineStream) -> int:
    from runner.check import check
    from runner.collect import collect
    from runner.report.annotations import Annotations
    from runner.report.console import ConsoleReport
    from runner.run import Status, run

    collection = collect(options.paths)
    check(options, collection)
    annotations = Annotations(stderr)
    stderr.write(*_rendered(collection.findings))
    annotations.add(collection.findings)
    if not collection.points:
        tap.nothing_to_run(f"no scenarios in {' '.join(options.paths)}", allowed=options.allow_empty)
        return 0 if options.allow_empty else NOTHING
    console, status = ConsoleReport(stderr), Status()

    def emit(event: Event) -> None:
        for take in (tap, console, annotations, status):
            take(event)

    stopped = run(options, collection, emit)
    return stopped.exit_status if stopped else status.code


def _rendered(findings: Sequence[Diagnostic]) -> list[str]:
    lines = [each.render() for each in findings[:MAX_DIAGNOSTICS]]
    return lines if len(findings) <= MAX_DIAGNOSTICS else [*lines, f"… and {len(findings) - MAX_DIAGNOSTICS} more"]


@contextlib.contextmanager
def _report_file(file: Path | None) -> Iterator[LineStream | None]:
    """Yield the stream for a report in a file, which gets its name only once it is complete.

    The report of an earlier run goes first, lest it be taken for this one's. What is no regular file is written as is.
    """
    if file is None:
        yield None
        return
    from runner.report.stream import LineStream

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


def _is_outside(error: BaseException) -> bool:
    """Tell whether neither a scenario nor we are to blame."""
    from runner.errors import SetupError

    return isinstance(error, SetupError | OSError)


def _reason(error: BaseException) -> str:
    from runner.signals import Interrupted

    known = _is_outside(error) or isinstance(error, Interrupted)
    return str(error) if known else f"internal error: {type(error).__name__}: {error}"


def _bug_report(error: Exception) -> str:
    import platform
    import shlex
    import traceback

    from runner import __version__

    return "\n".join(
        [
            f"run-scenarios: {_reason(error)}",
            "This is a bug of run-scenarios, not of the scenario or of QEMU. Please report it with all that follows.",
            f"  command: {shlex.join(sys.argv)}",
            f"  version: {__version__}, Python {platform.python_version()}, {platform.platform()}",
            "".join(traceback.format_exception(error)).rstrip(),
        ]
    )
