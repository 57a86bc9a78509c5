"""Tasks to results: run them side by side, tell what happens as events. Imports case_run and below.

One asyncio loop runs several cases; each has its own directory, processes and trace.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from runner.case_run import CaseRun, Settings
from runner.introspection import introspect
from runner.model import CaseFinished, CaseStarted, Emit, RunStopped
from runner.programs import Programs
from runner.qapi import Schema
from runner.requirements import unmet
from runner.signals import Interrupted
from runner.task import Task


async def execute(
    tasks: Sequence[Task], settings: Settings, emit: Emit, stop: asyncio.Future[Interrupted]
) -> Interrupted | None:
    """Run tasks, `settings.jobs` at a time, in the order given.

    :param emit: called with each event as it happens, in this thread.
    :param stop: once it has a result, what runs is reported as interrupted for that reason, before it is cleaned up.
    :return: the result of `stop`, None if every case came to its end before.
    """
    probe = _Probe(settings)
    running: dict[int, CaseRun] = {}
    waiting = iter(tasks)
    began = time.monotonic()

    async def work(worker: int) -> None:
        for task in waiting:
            emit(CaseStarted(task.index, worker, time.monotonic() - began))
            run = running[task.index] = CaseRun(task, settings, emit)
            result = await run.result(probe.unmet)
            if running.pop(task.index, None):
                emit(CaseFinished(task.index, result))

    workers: asyncio.Future[Any] = asyncio.gather(*map(work, range(max(1, min(settings.jobs, len(tasks))))))
    await asyncio.wait((workers, stop), return_when=asyncio.FIRST_COMPLETED)
    if workers.done():
        await workers
        return None
    reason = str(stop.result())
    for index, run in list(running.items()):
        del running[index]
        emit(CaseFinished(index, run.interrupted(reason)))
    emit(RunStopped(reason))
    workers.cancel()
    with suppress(asyncio.CancelledError):
        await workers
    return stop.result()


class _Probe:
    """Asks each QEMU under test what it can do, at most once and only if a scenario requires something."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asked: dict[int, asyncio.Task[Schema]] = {}

    async def unmet(self, task: Task) -> str:
        requires = task.case.scenario.requires
        if not requires:
            return ""
        return unmet(requires, task.programs, await asyncio.shield(self._ask(task.programs)))

    def _ask(self, programs: Programs) -> asyncio.Task[Schema]:
        if id(programs) not in self._asked:
            self._asked[id(programs)] = asyncio.create_task(introspect(programs, self._settings.guardian))
        return self._asked[id(programs)]
