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

from runner.options import builds_of, make_parser, read_options

if TYPE_CHECKING:
    from runner.answers import Answer
    from runner.builds import Build
    from runner.collect import Collection
    from runner.editor_schema import JsonSchema
    from runner.report.stream import LineStream

USAGE, BROKEN, NOTHING = 2, 3, 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0 all passed, were skipped or are known failures; 1 a test failed; 2 wrong usage or a wrong scenario; 3 no run was
    possible, or a bug of ours; 5 nothing to run; 128+N stopped by signal N.
    """
    options = read_options(arguments)
    from runner.signals import Interrupted, raising_interrupted
    from runner.terminal import standard_error, standard_output

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n", errors="replace")
    stdout, stderr = standard_output(sys.stdout, os.environ), standard_error(sys.stderr, os.environ)
    try:
        with raising_interrupted():
            return _command(options, stdout, stderr)
    except Interrupted as stop:
        return stop.exit_status
    except Exception as error:
        from runner.errors import UsageError
        from runner.outputs import OUTSIDE, reason_of

        stderr.write(f"run-scenarios: error: {reason_of(error)}" if isinstance(error, OUTSIDE) else _bug_report(error))
        return USAGE if isinstance(error, UsageError) else BROKEN


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
    if options.print_completion or options.complete:
        return _complete(options, stdout)
    if options.explain is not None or options.new:
        return _help(options, stdout, stderr)
    if options.list or options.check or options.save_qmp_schema:
        from runner.answers import answer

        return answer(options, stdout, stderr, _list if options.list else _check)
    return _report(options, stdout, stderr)


def _complete(options: argparse.Namespace, stdout: LineStream) -> int:
    """Print what completes the command in a shell, or what that asks for as its user types."""
    if options.print_completion:
        from runner.completion import completion

        return _print(stdout, [completion(make_parser(), options.print_completion)])
    from runner.collect import collect
    from runner.listing import candidates

    return _print(stdout, candidates(options.complete, collect(options.paths).cases))


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


def _list(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> Answer:
    from runner.answers import Answer
    from runner.collect import collect
    from runner.history import load_history
    from runner.listing import listed
    from runner.model import Findings
    from runner.report.console import ConsoleReport
    from runner.select import select

    collection = collect(options.paths, options.define, allow_outside=options.allow_outside)
    errors = tuple(each for each in collection.findings if each.severity == "error")
    ConsoleReport(stderr)(Findings(errors))
    selection = select(options, collection, builds_of(options, must_be_there=False), load_history(Path.cwd()))
    stderr.write(*(f"run-scenarios: {note}" for note in selection.notes))
    stdout.write(*(listed(task, as_json=bool(options.json)) for task in selection.tasks))
    if collection.bad:
        return Answer(USAGE)
    if not selection.tasks:
        stderr.write(f"run-scenarios: nothing to run: {selection.reason}")
    return Answer(0 if selection.tasks or options.allow_empty else NOTHING, collection.read)


def _check(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> Answer:
    """Check everything and run nothing; or save what QEMU speaks."""
    from runner.answers import Answer
    from runner.check import collect_checked, save
    from runner.checked import checked_before
    from runner.discover import nothing_in
    from runner.model import Findings
    from runner.outputs import messages

    if options.save_qmp_schema:
        save(options, options.save_qmp_schema)
        return Answer(0)
    checked = checked_before(options)
    collection, problem = collect_checked(options, checked)
    messages(stderr)(Findings(tuple(collection.findings)))
    if problem:
        stderr.write(f"run-scenarios: QMP was not checked: {problem}")
    else:
        checked.keep()
    status = 0 if collection.cases or collection.unchanged or options.allow_empty else NOTHING
    if status and not collection.bad:
        stderr.write(f"run-scenarios: nothing to check: {nothing_in(options.paths)}")
    if collection.bad or (options.strict and any(each.code for each in collection.warnings)):
        status = USAGE
    return Answer(status, None if problem or collection.bad else collection.read)


def _report(options: argparse.Namespace, stdout: LineStream, stderr: LineStream) -> int:
    """Run the stages; whatever ends them, the reports say so."""
    from runner.check import collect_checked
    from runner.history import Recorder, load_history
    from runner.model import Findings, NothingToRun, Notice
    from runner.outputs import Broadcast, reports
    from runner.run import Status, run
    from runner.select import select
    from runner.shards import load_durations

    history = load_history(Path.cwd())
    with reports(options, stdout, stderr, history.durations) as emit:
        collection, _ = collect_checked(options)
        emit(Findings(tuple(collection.findings)))
        durations = load_durations(options.durations)
        selection = select(options, collection, _builds_to_run_on(options, collection), history)
        for note in selection.notes:
            emit(Notice(note))
        if not selection.points:
            emit(NothingToRun(selection.reason, allowed=options.allow_empty))
            return 0 if options.allow_empty else NOTHING
        status = Status()
        recorder = Recorder(Path.cwd(), history, options.save_durations, durations)
        everyone = Broadcast(emit, status, recorder)
        if options.audit:
            from runner.audit.audit import audit

            stopped = audit(options, selection, everyone)
        else:
            stopped = run(options, selection, everyone)
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
