"""The command `run-scenarios`: the stages one after the other, and the exit status.

Each option imports what it needs where it needs it, so that none waits for what only others use.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.options import read_options

if TYPE_CHECKING:
    from runner.editor_schema import JsonSchema
    from runner.report.stream import LineStream

USAGE, BROKEN, NOTHING = 2, 3, 5


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
        from runner.outputs import OUTSIDE

        stderr.write(f"run-scenarios: error: {error}" if isinstance(error, OUTSIDE) else _bug_report(error))
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
    from runner.model import Findings
    from runner.report.console import ConsoleReport

    collection = collect(options.paths, allow_outside=options.allow_outside)
    errors = tuple(each for each in collection.findings if each.severity == "error")
    ConsoleReport(stderr)(Findings(errors))
    stdout.write(*(case.point.name for case in collection.cases))
    if collection.bad:
        return USAGE
    return 0 if collection.cases or options.allow_empty else NOTHING


def _check(options: argparse.Namespace, stderr: LineStream) -> int:
    """Check everything and run nothing; or save what QEMU speaks."""
    from runner.check import collect_checked, save
    from runner.model import Findings
    from runner.outputs import messages

    if options.save_qmp_schema:
        save(options, options.save_qmp_schema)
        return 0
    collection, problem = collect_checked(options)
    messages(stderr)(Findings(tuple(collection.findings)))
    if problem:
        stderr.write(f"run-scenarios: QMP was not checked: {problem}")
    if collection.bad or (options.strict and any(each.code for each in collection.warnings)):
        return USAGE
    return 0 if collection.cases or options.allow_empty else NOTHING


def _report(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> int:
    """Run the stages; whatever ends them, the reports say so."""
    from runner.check import collect_checked
    from runner.model import Findings, NothingToRun
    from runner.outputs import Broadcast, reports
    from runner.run import Status, run

    with reports(options, stdout, stderr) as emit:
        collection, _ = collect_checked(options)
        emit(Findings(tuple(collection.findings)))
        if not collection.points:
            emit(NothingToRun(f"no scenarios in {' '.join(options.paths)}", allowed=options.allow_empty))
            return 0 if options.allow_empty else NOTHING
        status = Status()
        stopped = run(options, collection, Broadcast(emit, status))
        return stopped.exit_status if stopped else status.code


def _bug_report(error: Exception) -> str:
    import platform
    import shlex
    import traceback

    from runner import __version__
    from runner.outputs import reason_of

    return "\n".join(
        [
            f"run-scenarios: {reason_of(error)}",
            "This is a bug of run-scenarios, not of the scenario or of QEMU. Please report it with all that follows.",
            f"  command: {shlex.join(sys.argv)}",
            f"  version: {__version__}, Python {platform.python_version()}, {platform.platform()}",
            "".join(traceback.format_exception(error)).rstrip(),
        ]
    )
