"""Tasks to results: run them side by side, tell what happens as events. Imports case_run and below.

One asyncio loop runs several cases; each has its own directory, processes and trace.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from run_scenarios.core.events import CaseFinished, CaseStarted, Emit, Outcome, Result, RunStopped
from run_scenarios.core.signals import Interrupted
from run_scenarios.execution.case_runner import CaseRunner, Settings
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.programs import Programs
from run_scenarios.qmp.introspection import introspect
from run_scenarios.qmp.requirements import find_unmet_requirement
from run_scenarios.qmp.schema import QmpSchema
from run_scenarios.scenario.case import Task

NOT_STARTED = "not run, another case failed (--fail-fast)"


class RunningCase(Protocol):
    """A case on its way to a result."""

    async def result(self) -> Result:
        """Wait for the end of the case, and of its cleanup; whatever happens ends as a result."""

    def interrupted(self, reason: str) -> Result | None:
        """Return the result of a case that is stopped now, None if it has not begun."""


class Pool(Protocol):
    """Where cases run: in this process, or on other machines.

    :param slots: how many cases are given to it at a time.
    """

    slots: int

    def start(self, task: Task, slot: int) -> RunningCase:
        """Return a case that is to run; whoever runs it emits its `CaseStarted`."""


class LocalPool:
    """Runs cases in this process."""

    def __init__(self, settings: Settings, emit: Emit) -> None:
        self.slots = settings.jobs
        self._settings = settings
        self._emit = emit
        self._probe = RequirementChecker(settings.guardian)
        self._began = time.monotonic()

    def start(self, task: Task, slot: int) -> CaseRunner:
        """Begin to run a case."""
        self._emit(CaseStarted(task.index, slot, time.monotonic() - self._began))
        return CaseRunner(task, self._settings, self._emit, self._probe.unmet)


async def run_tasks(
    tasks: Sequence[Task],
    pool: Pool,
    emit: Emit,
    stop: asyncio.Future[Interrupted],
    failures_left: int | None = None,
) -> Interrupted | None:
    """Run tasks, as many at a time as the pool takes, in the order given.

    :param emit: called with each event as it happens, in this thread.
    :param stop: once it has a result, what runs is reported as interrupted for that reason, before it is cleaned up.
    :param failures_left: after how many failures no further case is started, None for any number.
    :return: the result of `stop`, None if every case came to its end before.
    """
    running: dict[int, RunningCase] = {}
    waiting = iter(tasks)

    async def work(slot: int) -> None:
        nonlocal failures_left
        for task in waiting:
            if failures_left is not None and failures_left < 1:
                emit(CaseFinished(task.index, Result(Outcome.SKIPPED, note=NOT_STARTED)))
                continue
            run = running[task.index] = pool.start(task, slot)
            result = await run.result()
            if failures_left is not None and result.outcome.is_failure:
                failures_left -= 1
            if running.pop(task.index, None):
                emit(CaseFinished(task.index, result))

    workers: asyncio.Future[Any] = asyncio.gather(*map(work, range(max(1, min(pool.slots, len(tasks))))))
    await asyncio.wait((workers, stop), return_when=asyncio.FIRST_COMPLETED)
    if workers.done():
        await workers
        return None
    reason = str(stop.result())
    for index, run in list(running.items()):
        del running[index]
        result = run.interrupted(reason)
        if result:
            emit(CaseFinished(index, result))
    emit(RunStopped(reason))
    workers.cancel()
    with suppress(asyncio.CancelledError):
        await workers
    return stop.result()


class RequirementChecker:
    """Asks each QEMU under test what it can do, at most once and only if a scenario requires something."""

    def __init__(self, guardian: Guardian) -> None:
        self._guardian = guardian
        self._asked: dict[int, asyncio.Task[QmpSchema]] = {}

    async def unmet(self, task: Task) -> str:
        """Return why a case is to be skipped, "" if it is not."""
        requires = task.case.load().requires
        if not requires:
            return ""
        return find_unmet_requirement(requires, task.programs, await asyncio.shield(self._ask(task.programs)))

    def _ask(self, programs: Programs) -> asyncio.Task[QmpSchema]:
        if id(programs) not in self._asked:
            self._asked[id(programs)] = asyncio.create_task(introspect(programs, self._guardian))
        return self._asked[id(programs)]
