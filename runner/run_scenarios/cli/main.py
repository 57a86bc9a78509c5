"""The command `run-scenarios`: the stages one after the other, and the exit status.

Each option imports what it needs where it needs it, so that none waits for what only others use.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from run_scenarios.cli.options import make_parser, parse_options
from run_scenarios.qemu.builds import builds_of

if TYPE_CHECKING:
    from run_scenarios.authoring.editor_schema import JsonSchema
    from run_scenarios.collection.collector import Collection
    from run_scenarios.qemu.builds import Build
    from run_scenarios.report.stream import LineStream

USAGE, BROKEN, NOTHING = 2, 3, 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0 all passed, were skipped or are known failures; 1 a test failed; 2 wrong usage or a wrong scenario; 3 no run was
    possible, or a bug of ours; 5 nothing to run; 128+N stopped by signal N.
    """
    options = parse_options(arguments)
    from run_scenarios.core.signals import Interrupted, raise_on_stop_signals
    from run_scenarios.report.terminal import wrap_stderr, wrap_stdout

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n", errors="replace")
    stdout, stderr = wrap_stdout(sys.stdout, os.environ), wrap_stderr(sys.stderr, os.environ)
    try:
        with raise_on_stop_signals():
            return _command(options, stdout, stderr)
    except Interrupted as stop:
        return stop.exit_status
    except Exception as error:
        from run_scenarios.cli.reporters import EXTERNAL_ERRORS, describe_abort
        from run_scenarios.core.errors import UsageError

        stderr.write(
            f"run-scenarios: error: {describe_abort(error)}"
            if isinstance(error, EXTERNAL_ERRORS)
            else _bug_report(error)
        )
        return USAGE if isinstance(error, UsageError) else BROKEN


def _command(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> int:
    if options.print_schema:
        from run_scenarios.authoring.editor_schema import format_schema

        return _print(stdout, [format_schema(_schema(options))])
    if options.print_reference:
        from run_scenarios.authoring.reference import render_step_reference

        return _print(stdout, [render_step_reference()])
    if options.print_rules:
        from run_scenarios.authoring.explain import render_rule_reference

        return _print(stdout, [render_rule_reference()])
    if options.print_completion or options.complete:
        return _complete(options, stdout)
    if options.explain is not None or options.new:
        return _help(options, stdout, stderr)
    if options.list or options.check or options.save_qmp_schema:
        work = _list if options.list else _check
        return work(options, stdout, stderr)
    return _report(options, stdout, stderr)


def _complete(options: argparse.Namespace, stdout: LineStream) -> int:
    """Print what completes the command in a shell, or what that asks for as its user types."""
    if options.print_completion:
        from run_scenarios.cli.completion import completion

        return _print(stdout, [completion(make_parser(), options.print_completion)])
    from run_scenarios.collection.collector import collect
    from run_scenarios.collection.listing import list_completions

    return _print(stdout, list_completions(options.complete, collect(options.paths).cases))


def _print(stdout: LineStream, lines: Sequence[str]) -> int:
    stdout.write(*lines)
    return 0


def _schema(options: argparse.Namespace) -> JsonSchema:
    from run_scenarios.authoring.editor_schema import build_editor_schema

    schema = build_editor_schema()
    if not options.with_qmp:
        return schema
    from run_scenarios.authoring.editor_schema_qmp import add_qmp
    from run_scenarios.collection.qmp_check import load_qmp_schema

    return add_qmp(schema, load_qmp_schema(options))


def _help(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> int:
    """Explain a word, or write a scenario to start from."""
    import shlex

    from run_scenarios.authoring.explain import UnknownTopic, explain
    from run_scenarios.authoring.template import CannotWriteTemplate, write_template

    try:
        if options.new:
            write_template(options.new)
            return _print(stdout, [f"wrote {options.new}; run it: run-scenarios {shlex.quote(str(options.new))}"])
        return _print(stdout, [explain(options.explain)])
    except (CannotWriteTemplate, UnknownTopic) as error:
        stderr.write(f"run-scenarios: error: {error}")
        return USAGE


def _list(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> int:
    from run_scenarios.collection.collector import collect
    from run_scenarios.collection.history import load_history
    from run_scenarios.collection.listing import format_case
    from run_scenarios.collection.select import select_cases
    from run_scenarios.core.events import DiagnosticsFound
    from run_scenarios.report.console import ConsoleReport

    collection = collect(options.paths, options.define, allow_outside=options.allow_outside)
    errors = tuple(each for each in collection.findings if each.severity == "error")
    ConsoleReport(stderr)(DiagnosticsFound(errors))
    selection = select_cases(options, collection, builds_of(options, must_be_there=False), load_history(Path.cwd()))
    stderr.write(*(f"run-scenarios: {note}" for note in selection.notes))
    stdout.write(*(format_case(task, as_json=bool(options.json)) for task in selection.tasks))
    if collection.bad:
        return USAGE
    if not selection.tasks:
        stderr.write(f"run-scenarios: nothing to run: {selection.reason}")
    return 0 if selection.tasks or options.allow_empty else NOTHING


def _check(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> int:
    """Check everything and run nothing; or save what QEMU speaks."""
    from run_scenarios.cli.reporters import make_check_reports
    from run_scenarios.collection.discover import describe_no_scenarios
    from run_scenarios.collection.qmp_check import collect_and_check, save_qmp_schema
    from run_scenarios.core.events import DiagnosticsFound

    if options.save_qmp_schema:
        save_qmp_schema(options, options.save_qmp_schema)
        return 0
    collection, problem = collect_and_check(options)
    make_check_reports(stderr)(Findings(tuple(collection.findings)))
    if problem:
        stderr.write(f"run-scenarios: QMP was not checked: {problem}")
    status = 0 if collection.cases or options.allow_empty else NOTHING
    if status and not collection.bad:
        stderr.write(f"run-scenarios: nothing to check: {describe_no_scenarios(options.paths)}")
    if collection.bad or (options.strict and any(each.code for each in collection.warnings)):
        status = USAGE
    return status


def _report(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> int:
    """Run the stages; whatever ends them, the reports say so."""
    from run_scenarios.cli.reporters import Broadcast, reports
    from run_scenarios.collection.history import HistoryRecorder, load_history
    from run_scenarios.collection.qmp_check import collect_and_check
    from run_scenarios.collection.select import select_cases
    from run_scenarios.collection.sharding import load_durations
    from run_scenarios.core.events import DiagnosticsFound, NothingToRun, Notice
    from run_scenarios.execution.session import ExitStatus, run_selection

    history = load_history(Path.cwd())
    with reports(options, stdout, stderr, history.durations) as emit:
        collection, _ = collect_and_check(options)
        emit(DiagnosticsFound(tuple(collection.findings)))
        durations = load_durations(options.durations)
        selection = select_cases(options, collection, _builds_to_run_on(options, collection), history)
        for note in selection.notes:
            emit(Notice(note))
        if not selection.points:
            emit(NothingToRun(selection.reason, allowed=options.allow_empty))
            return 0 if options.allow_empty else NOTHING
        status = ExitStatus()
        recorder = HistoryRecorder(Path.cwd(), history, options.save_durations, durations)
        everyone = Broadcast(emit, status, recorder)
        if options.audit:
            from run_scenarios.audit.auditor import run_audit

            stopped = run_audit(options, selection, everyone)
        else:
            stopped = run_selection(options, selection, everyone)
        return stopped.exit_status if stopped else status.code


def _builds_to_run_on(options: argparse.Namespace, collection: Collection) -> tuple[Build, ...]:
    if not collection.cases:
        return ()
    if options.cluster:
        # It has programs of its own.
        return builds_of(options, must_be_there=False)
    # What those have been asked already, they need not be asked again.
    return collection.builds or builds_of(options)


def _bug_report(error: Exception) -> str:
    import platform
    import shlex
    import traceback

    from run_scenarios import __version__
    from run_scenarios.cli.reporters import describe_abort

    return "\n".join(
        [
            f"run-scenarios: {describe_abort(error)}",
            "This is a bug of run-scenarios, not of the scenario or of QEMU. Please report it with all that follows.",
            f"  command: {shlex.join(sys.argv)}",
            f"  version: {__version__}, Python {platform.python_version()}, {platform.platform()}",
            "".join(traceback.format_exception(error)).rstrip(),
        ]
    )
