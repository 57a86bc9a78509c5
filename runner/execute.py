"""Cases to results: run them side by side, tell what happens as events. Imports case_run and below.

One asyncio loop runs several cases; each has its own directory, processes and trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from runner.case_run import CaseRun, Emit, Settings
from runner.introspection import introspect
from runner.model import CaseFinished, CaseStarted, RunStopped
from runner.plan import Case
from runner.qapi import Schema
from runner.requirements import unmet
from runner.signals import Interrupted


async def execute(
    cases: Sequence[tuple[int, Case]], settings: Settings, emit: Emit, stop: asyncio.Future[Interrupted]
) -> Interrupted | None:
    """Run cases, `settings.jobs` at a time, in the order given.

    :param cases: each with its index in the plan, which events carry.
    :param emit: called with each event as it happens, in this thread.
    :param stop: once it has a result, what runs is reported as interrupted for that reason, before it is cleaned up.
    :return: the result of `stop`, None if every case came to its end before.
    """
    probe = _Probe(settings)
    running: dict[int, CaseRun] = {}
    waiting = iter(cases)

    async def work() -> None:
        for index, case in waiting:
            emit(CaseStarted(index))
            run = running[index] = CaseRun(index, case, settings, emit)
            result = await run.result(probe.unmet)
            if running.pop(index, None):
                emit(CaseFinished(index, result))

    workers: asyncio.Future[Any] = asyncio.gather(*(work() for _ in range(max(1, min(settings.jobs, len(cases))))))
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
    """Asks the QEMU under test what it can do, at most once and only if a scenario requires something."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asked: asyncio.Task[Schema] | None = None

    async def unmet(self, case: Case) -> str:
        requires = case.scenario.requires
        if not requires:
            return ""
        if self._asked is None:
            self._asked = asyncio.create_task(introspect(self._settings.programs, self._settings.guardian))
        return unmet(requires, self._settings.programs, await asyncio.shield(self._asked))
