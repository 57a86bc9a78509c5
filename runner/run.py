"""The run of what was collected: find QEMU, make room, run the cases, leave nothing. Imports collect and execute."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from runner.case_run import Settings
from runner.collect import Collection
from runner.errors import SetupError
from runner.execute import LocalPool, Pool, execute
from runner.guardian import Guardian
from runner.model import CaseFinished, Emit, Event, Failure, Outcome, Result, RunFinished, RunStarted
from runner.options import named_programs, programs_of
from runner.programs import Programs
from runner.signals import Interrupted, asked_to_stop, ignore_signals
from runner.task import Task
from runner.workdir import Workspace


class Status:
    """The exit status that the results lead to: the highest wins."""

    def __init__(self) -> None:
        self.code = 0

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, CaseFinished):
            self.code = max(self.code, event.result.outcome.exit_status)


def run(options: argparse.Namespace, collection: Collection, emit: Emit) -> Interrupted | None:
    """Run every case, and return what stopped the run before its end, if anything did.

    :raise SetupError: if QEMU or a place for the cases is missing; nothing was emitted then.
    """
    if not collection.cases:
        _emit_start(collection, options.jobs, emit)
        return None
    began = time.monotonic()
    programs = Programs(named_programs(options)) if options.cluster else programs_of(options)
    # Every case is there to the end: the collector need not go through all of them again and again.
    gc.freeze()
    with _settings(options) as settings:
        _emit_start(collection, options.jobs, emit)
        try:
            stopped = asyncio.run(_execute(options.cluster, _tasks(collection, programs), settings, emit))
        finally:
            # What is left is short, and would be left lying about.
            ignore_signals()
        emit(RunFinished(time.monotonic() - began))
    return stopped


def _emit_start(collection: Collection, workers: int, emit: Emit) -> None:
    emit(RunStarted(collection.points, workers))
    for index, bad in enumerate(collection.bad):
        emit(CaseFinished(index, Result(Outcome.INVALID, failure=Failure(bad.diagnostics[0]))))


def _tasks(collection: Collection, programs: Programs) -> list[Task]:
    cases = enumerate(collection.cases, len(collection.bad))
    return [Task(index, case, programs, case.point) for index, case in cases]


@contextlib.contextmanager
def _settings(options: argparse.Namespace) -> Iterator[Settings]:
    """Make a workspace; in the end, have nothing left of it."""
    test_dir = Path(os.environ.get("TEST_DIR") or tempfile.gettempdir())
    guardian = Guardian.start()
    try:
        workspace = Workspace(test_dir, options.artifacts, options.keep, guardian)
        yield Settings(workspace, guardian, options.jobs)
        workspace.remove()
    finally:
        guardian.stop()


async def _execute(address: str | None, tasks: list[Task], settings: Settings, emit: Emit) -> Interrupted | None:
    if address is None:
        return await execute(tasks, LocalPool(settings, emit), emit, asked_to_stop())
    async with _cluster(address, tasks[0].programs.paths, settings.workspace, emit) as pool:
        return await execute(tasks, pool, emit, asked_to_stop())


@contextlib.asynccontextmanager
async def _cluster(address: str, tools: Mapping[str, str], workspace: Workspace, emit: Emit) -> AsyncIterator[Pool]:
    try:
        from runner.cluster.driver import cluster
    except ModuleNotFoundError as error:
        raise SetupError(f"--cluster needs Dask: pip install 'run-scenarios[cluster]' ({error})") from None
    async with cluster(address, tools, workspace, emit) as pool:
        yield pool
