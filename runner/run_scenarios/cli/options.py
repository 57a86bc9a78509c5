"""The command line as typed options, a part for each package that uses them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from run_scenarios.cli.parser import PROGRAMS, parse_arguments
from run_scenarios.collection.options import CollectionOptions, SelectionOptions, Shard
from run_scenarios.execution.options import RunOptions
from run_scenarios.qemu.programs import TOOLS


@dataclass(frozen=True)
class ReportOptions:
    """Files for reports, None for a report that is not wanted.

    :param tap: None for standard output.
    :param may_draw_progress: False if a person answers prompts at the terminal.
    """

    tap: Path | None = None
    junit: Path | None = None
    html: Path | None = None
    json: Path | None = None
    save_durations: Path | None = None
    may_draw_progress: bool = True

    @property
    def files(self) -> dict[str, Path]:
        """The files to write, by option."""
        files = {
            "--tap": self.tap,
            "--junit": self.junit,
            "--html": self.html,
            "--json": self.json,
            "--save-durations": self.save_durations,
        }
        return {option: file for option, file in files.items() if file}


@dataclass(frozen=True)
class Options:
    """Everything that the command line says.

    :param mode: "run" or another of the keys of `run_scenarios.cli.main.MODES`.
    :param list_as_json: with `--list`: print JSON.
    :param strict: with `--check`: treat lint warnings as errors.
    :param allow_empty: exit with 0 even if there is nothing to run.
    :param with_qmp: with `--print-schema`: include QEMU's QMP schema.
    :param explained: the verb or lint code to explain.
    :param new_file: the file for a template scenario.
    :param saved_schema: the file to save QEMU's QMP schema to.
    :param shell: the shell whose completion script to print.
    """

    mode: str
    collection: CollectionOptions
    selection: SelectionOptions
    run: RunOptions
    reports: ReportOptions
    audit: bool
    list_as_json: bool
    strict: bool
    allow_empty: bool
    with_qmp: bool
    explained: str
    new_file: Path | None
    saved_schema: Path | None
    shell: str


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Parse the command line, `sys.argv` by default, and exit with status 2 if it is wrong."""
    return make_options(parse_arguments(arguments))


def make_options(parsed: argparse.Namespace) -> Options:
    """Return the typed options for the result of `parse_arguments`."""
    return Options(
        mode=parsed.mode,
        collection=_make_collection_options(parsed),
        selection=_make_selection_options(parsed),
        run=_make_run_options(parsed),
        reports=_make_report_options(parsed),
        audit=parsed.audit,
        list_as_json=bool(parsed.json),
        strict=parsed.strict,
        allow_empty=parsed.allow_empty,
        with_qmp=parsed.with_qmp,
        explained=parsed.explain or "",
        new_file=parsed.new,
        saved_schema=parsed.save_qmp_schema,
        shell=parsed.print_completion or "",
    )


def _make_collection_options(parsed: argparse.Namespace) -> CollectionOptions:
    return CollectionOptions(
        paths=tuple(parsed.paths),
        overrides=tuple(parsed.define),
        allow_outside=parsed.allow_outside,
        programs={tool: tuple(getattr(parsed, name)) for tool, name in zip(TOOLS, PROGRAMS, strict=True)},
        qmp_schema=parsed.qmp_schema,
        may_start_qemu=parsed.mode != "run",
    )


def _make_selection_options(parsed: argparse.Namespace) -> SelectionOptions:
    return SelectionOptions(
        keywords=tuple(parsed.keywords),
        tags=tuple(parsed.tag),
        excluded_tags=tuple(parsed.not_tag),
        changed=parsed.changed,
        rerun_failed=parsed.rerun_failed,
        shard=Shard(*parsed.shard) if parsed.shard else None,
        durations=tuple(parsed.durations),
        repeat=parsed.repeat,
        shuffle=parsed.shuffle,
        timeout_s=parsed.timeout,
    )


def _make_run_options(parsed: argparse.Namespace) -> RunOptions:
    return RunOptions(
        command=parsed.command,
        jobs=parsed.jobs,
        fail_fast=parsed.fail_fast,
        cluster=parsed.cluster,
        artifacts=parsed.artifacts,
        keep_images=parsed.keep,
        records_traffic=parsed.html is not None,
        pause_each_step=parsed.step,
        pause_on_failure=parsed.pause_on_failure,
    )


def _make_report_options(parsed: argparse.Namespace) -> ReportOptions:
    return ReportOptions(
        tap=parsed.tap,
        junit=parsed.junit,
        html=parsed.html,
        json=Path(parsed.json) if parsed.json else None,
        save_durations=parsed.save_durations,
        may_draw_progress=not (parsed.step or parsed.pause_on_failure),
    )
