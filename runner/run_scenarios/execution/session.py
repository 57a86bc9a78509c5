"""Run the selected cases: prepare a workspace and a pool, run the tasks, and clean up."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from run_scenarios.collection.select import Selection
from run_scenarios.core.errors import SetupError
from run_scenarios.core.events import CaseFinished, Emit, Failure, Outcome, Result, RunEvent, RunFinished, RunStarted
from run_scenarios.core.signals import Interrupted, ignore_stop_signals, raise_on_stop_signals, watch_stop_signals
from run_scenarios.execution.case_runner import Settings
from run_scenarios.execution.debugger import Debugger
from run_scenarios.execution.options import RunOptions
from run_scenarios.execution.scheduler import LocalPool, Pool, run_tasks
from run_scenarios.execution.start_order import choose_start_order
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.workspace import Workspace
from run_scenarios.scenario.case import Task

OBJECTS_BEFORE_COLLECTION = 10_000


class ExitStatus:
    """The exit status of a run: the highest of those that its results lead to."""

    def __init__(self) -> None:
        self.code = 0

    def __call__(self, event: RunEvent) -> None:
        """Take an event."""
        if isinstance(event, CaseFinished):
            self.code = max(self.code, event.result.outcome.exit_status)


RunTasks = Callable[[Sequence[Task], Emit], Awaitable[Interrupted | None]]
"""Runs further tasks in the pool of a run, and returns what stopped them early, if anything did."""
Continuation = Callable[[RunTasks], Awaitable[Interrupted | None]]


async def _do_nothing(run_tasks: RunTasks) -> None:
    return None


def run_selection(
    options: RunOptions, selection: Selection, emit: Emit, then: Continuation = _do_nothing
) -> Interrupted | None:
    """Run what was selected, and return what stopped the run early, if anything did.

    :param then: called when the selected tasks have ended, unless they were stopped.
    :raise SetupError: if the workspace cannot be made; nothing has been emitted then.
    """
    if not selection.tasks:
        _emit_start(selection, options, emit)
        return None
    began = time.monotonic()
    # All cases live until the end of the run, and most objects of the run itself are freed by reference counting: the
    # garbage collector need not traverse them again and again.
    gc.freeze()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    with prepare_settings(options) as settings:
        if options.pause_each_step or options.pause_on_failure:
            settings = replace(settings, debugger=Debugger(options.pause_each_step, options.pause_on_failure, emit))
        settings.workspace.check_artifacts(task.point.name for task in selection.tasks)
        _emit_start(selection, options, emit)
        try:
            stopped = asyncio.run(_run_in_pool(options, selection, settings, emit, then))
        finally:
            # The cleanup that remains is short; interrupted, it would leave files behind.
            ignore_stop_signals()
        emit(RunFinished(time.monotonic() - began))
    return stopped


def _emit_start(selection: Selection, options: RunOptions, emit: Emit) -> None:
    began = datetime.now(UTC).isoformat(timespec="seconds")
    emit(RunStarted(selection.points, options.jobs, selection.qemus, began, options.command))
    for index, bad in enumerate(selection.invalid_files):
        emit(CaseFinished(index, Result(Outcome.INVALID, failure=Failure(bad.diagnostics[0]))))


def run_single_task(task: Task, settings: Settings) -> Result:
    """Run one case in the main thread, and return its result.

    :raise Interrupted: if a signal stopped it; it has been cleaned up then.
    """
    results: list[Result] = []

    def take(event: RunEvent) -> None:
        if isinstance(event, CaseFinished):
            results.append(event.result)

    async def run_alone() -> Interrupted | None:
        return await run_tasks((task,), LocalPool(settings), take, watch_stop_signals())

    with raise_on_stop_signals():
        stopped = asyncio.run(run_alone())
    if stopped:
        raise stopped
    return results[0]


@contextlib.contextmanager
def prepare_settings(options: RunOptions) -> Iterator[Settings]:
    """Yield settings with a workspace, which is removed at the end.

    :raise SetupError: if it cannot be made.
    """
    test_dir = Path(os.environ.get("TEST_DIR") or tempfile.gettempdir())
    guardian = Guardian.start()
    try:
        workspace = Workspace(test_dir, options.artifacts, options.keep_images, guardian)
        yield Settings(workspace, guardian, options.jobs, records_traffic=options.records_traffic)
        workspace.remove()
    finally:
        guardian.stop()


async def _run_in_pool(
    options: RunOptions, selection: Selection, settings: Settings, emit: Emit, then: Continuation
) -> Interrupted | None:
    failures_left = 1 - len(selection.invalid_files) if options.fail_fast else None
    stop = watch_stop_signals()
    async with _open_pool(options, selection.tasks, settings, emit) as pool:
        tasks = choose_start_order(selection.tasks, selection.expected, pool.slots)
        stopped = await run_tasks(tasks, pool, emit, stop, failures_left)
        return stopped or await then(lambda tasks, emit: run_tasks(tasks, pool, emit, stop))


@contextlib.asynccontextmanager
async def _open_pool(options: RunOptions, tasks: Sequence[Task], settings: Settings, emit: Emit) -> AsyncIterator[Pool]:
    if options.cluster is None:
        yield LocalPool(settings)
        return
    async with _connect_cluster(options.cluster, tasks[0].programs.paths, settings, emit) as pool:
        yield pool


@contextlib.asynccontextmanager
async def _connect_cluster(
    address: str, tools: Mapping[str, str], settings: Settings, emit: Emit
) -> AsyncIterator[Pool]:
    try:
        from run_scenarios.execution.cluster.driver import connect_pool
    except ModuleNotFoundError as error:
        raise SetupError(f"--cluster needs Dask: pip install 'run-scenarios[cluster]' ({error})") from None
    async with connect_pool(address, tools, settings, emit) as pool:
        yield pool
