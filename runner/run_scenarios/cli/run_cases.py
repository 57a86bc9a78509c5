"""Run the selected cases and write the reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from run_scenarios.cli.exit_codes import NOTHING_TO_RUN
from run_scenarios.cli.options import Options
from run_scenarios.cli.report_files import check_report_files
from run_scenarios.cli.reporters import Broadcast, open_reports
from run_scenarios.collection.collector import Collection, collect_and_check_qmp
from run_scenarios.collection.history import HistoryRecorder, load_history
from run_scenarios.collection.select import Selection, select_cases
from run_scenarios.collection.sharding import load_durations
from run_scenarios.core.events import DiagnosticsFound, Emit, NothingToRun, Notice
from run_scenarios.core.signals import Interrupted
from run_scenarios.execution.session import ExitStatus, run_selection
from run_scenarios.qemu.builds import Build, find_builds_under_test
from run_scenarios.report.stream import LineStream


def execute(options: Options, stdout: LineStream, stderr: LineStream) -> int:
    """Collect, check, select and run; an error on the way is in every report."""
    check_report_files(options.reports.files, prints_tap=options.reports.tap is None)
    history = load_history(Path.cwd())
    with open_reports(options.reports, stdout, stderr, history.durations) as emit:
        collection = collect_and_check_qmp(options.collection)
        emit(DiagnosticsFound(tuple(collection.findings)))
        durations = load_durations(options.selection.durations)
        selection = select_cases(options.selection, collection, _find_builds(options, collection), history)
        for note in selection.notes:
            emit(Notice(note))
        if not selection.points:
            emit(NothingToRun(selection.reason, allowed=options.allow_empty))
            return 0 if options.allow_empty else NOTHING_TO_RUN
        if selection.tasks:
            selection = _name_mixtures(selection, collection.builds, emit)
        status = ExitStatus()
        recorder = HistoryRecorder(Path.cwd(), history, options.reports.save_durations, durations)
        stopped = _run(options, selection, Broadcast(emit, status, recorder))
        return stopped.exit_status if stopped else status.code


def _name_mixtures(selection: Selection, builds: Sequence[Build], emit: Emit) -> Selection:
    """Name the tools of another version than QEMU's, as they are found if only one program is named."""
    mixtures = [build.programs.mixture for build in builds]
    for build, mixture in zip(builds, mixtures, strict=True):
        if mixture:
            emit(Notice(f"QEMU {build.programs.version} is run with {mixture}"))
    if len(mixtures) != len(selection.qemus):
        return selection
    named = zip(selection.qemus, mixtures, strict=True)
    return replace(selection, qemus=tuple(f"{qemu} with {mixture}" if mixture else qemu for qemu, mixture in named))


def _find_builds(options: Options, collection: Collection) -> tuple[Build, ...]:
    if not collection.cases:
        return ()
    if options.run.cluster:
        # The workers have their own programs.
        return find_builds_under_test(options.collection.programs, must_exist=False)
    # The builds of the QMP check already know their versions.
    return collection.builds or find_builds_under_test(options.collection.programs)


def _run(options: Options, selection: Selection, emit: Emit) -> Interrupted | None:
    if not options.audit:
        return run_selection(options.run, selection, emit)
    from run_scenarios.audit.auditor import run_audit

    paths = options.collection.paths
    selects_cases = options.collection.overrides or any("::" in path for path in paths)
    whole_paths = () if selects_cases else paths
    return run_audit(options.run, selection, emit, revision=options.selection.changed, whole_paths=whole_paths)
