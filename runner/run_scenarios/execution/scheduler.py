"""Run tasks side by side, and report their progress as events.

One asyncio loop runs several cases; each has its own directory, processes and trace.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

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
    """A case that a pool runs."""

    async def result(self) -> Result:
        """Wait until the case has ended and was cleaned up; every error becomes a result."""

    def interrupted(self, reason: str) -> Result | None:
        """Return the result of a case that is being stopped, None if it has not begun."""


class Pool(Protocol):
    """A place where cases run: this process, or other machines.

    :param slots: the number of cases that it takes at a time.
    """

    slots: int

    def start(self, task: Task, slot: int, emit: Emit) -> RunningCase:
        """Return the case of a task; the pool emits its `CaseStarted` and the events of its steps."""


class LocalPool:
    """Runs cases in this process."""

    def __init__(self, settings: Settings) -> None:
        self.slots = settings.jobs
        self._settings = settings
        self._requirements = RequirementChecker(settings.guardian)
        self._began = time.monotonic()

    def start(self, task: Task, slot: int, emit: Emit) -> CaseRunner:
        """Begin to run a case."""
        emit(CaseStarted(task.index, slot, time.monotonic() - self._began))
        return CaseRunner(task, self._settings, emit, self._requirements.find_unmet)


async def run_tasks(
    tasks: Sequence[Task],
    pool: Pool,
    emit: Emit,
    stop: asyncio.Future[Interrupted],
    failures_left: int | None = None,
) -> Interrupted | None:
    """Run tasks in the order given, as many at a time as the pool takes.

    :param emit: called with each event as it happens, in this thread.
    :param stop: once it has a result, running cases are reported as interrupted, and then cleaned up.
    :param failures_left: the number of failures after which no further case is started, None for no limit.
    :return: the result of `stop`, None if every case ended before.
    """
    workers = _Workers(tasks, pool, emit, failures_left)
    done = asyncio.ensure_future(workers.run())
    await asyncio.wait((done, stop), return_when=asyncio.FIRST_COMPLETED)
    if done.done():
        await done
        return None
    workers.report_interrupted(str(stop.result()))
    done.cancel()
    with suppress(asyncio.CancelledError):
        await done
    return stop.result()


class _Workers:
    """The workers of one run, which take the tasks from one queue.

    :param failures_left: as in `run_tasks`.
    """

    def __init__(self, tasks: Sequence[Task], pool: Pool, emit: Emit, failures_left: int | None) -> None:
        self._queue = iter(tasks)
        self._count = max(1, min(pool.slots, len(tasks)))
        self._pool = pool
        self._emit = emit
        self._failures_left = failures_left
        self._running: dict[int, RunningCase] = {}
        self._is_interrupted = False

    async def run(self) -> None:
        """Run every task to its end."""
        await asyncio.gather(*map(self._work, range(self._count)))

    def report_interrupted(self, reason: str) -> None:
        """Report every case that is running as interrupted; its own result is discarded when it comes."""
        self._is_interrupted = True
        for index, case in self._running.items():
            result = case.interrupted(reason)
            if result:
                self._emit(CaseFinished(index, result))
        self._emit(RunStopped(reason))

    async def _work(self, slot: int) -> None:
        for task in self._queue:
            if self._failures_left is not None and self._failures_left < 1:
                self._emit(CaseFinished(task.index, Result(Outcome.SKIPPED, note=NOT_STARTED)))
            else:
                await self._run_case(task, slot)

    async def _run_case(self, task: Task, slot: int) -> None:
        case = self._running[task.index] = self._pool.start(task, slot, self._emit)
        result = await case.result()
        del self._running[task.index]
        if self._failures_left is not None and result.outcome.is_failure:
            self._failures_left -= 1
        if not self._is_interrupted:
            self._emit(CaseFinished(task.index, result))


class RequirementChecker:
    """Checks what scenarios require of each QEMU under test, which is queried at most once, and only if needed."""

    def __init__(self, guardian: Guardian) -> None:
        self._guardian = guardian
        self._schemas: dict[frozenset[tuple[str, str]], asyncio.Task[QmpSchema]] = {}

    async def find_unmet(self, task: Task) -> str:
        """Return the reason to skip a case, "" if all of its requirements are met."""
        requires = task.case.load().requires
        if not requires:
            return ""
        return find_unmet_requirement(requires, task.programs, await asyncio.shield(self._get_schema(task.programs)))

    def _get_schema(self, programs: Programs) -> asyncio.Task[QmpSchema]:
        key = frozenset(programs.paths.items())
        if key not in self._schemas:
            self._schemas[key] = asyncio.create_task(introspect(programs, self._guardian))
        return self._schemas[key]
