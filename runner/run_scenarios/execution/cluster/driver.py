"""Run tasks on a Dask cluster.

Source: the manual of Dask distributed: a worker's `log_event` reaches the subscribers of the topic, and a task whose
worker died is given to another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from distributed import Client, KilledWorker

from run_scenarios import __version__
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.errors import SetupError
from run_scenarios.core.events import CaseStarted, Emit, Failure, Notice, Outcome, Result
from run_scenarios.execution.case_runner import Settings
from run_scenarios.execution.cluster.messages import CaseRequest, CaseResponse, pack, unpack
from run_scenarios.execution.cluster.worker import (
    MAX_ATTEMPTS,
    WorkerInfo,
    describe_worker,
    make_lost_response,
    run_case,
    stop_run,
)
from run_scenarios.scenario.case import Task

MAX_IN_FLIGHT = 1_000
CONNECT_S = 10
WORKERLESS_S = 120.0
DISCONNECT_S = 10.0
FREE = -1


@contextlib.asynccontextmanager
async def connect_pool(
    address: str, tools: Mapping[str, str], settings: Settings, emit: Emit
) -> AsyncIterator[ClusterPool]:
    """Connect to a scheduler and yield the pool of its workers.

    :param address: `tcp://HOST:PORT`.
    :param tools: the paths of programs on the workers, by tool; others are found there.
    :raise SetupError: if no scheduler answers, no worker joins it, or a worker cannot run cases.
    """
    try:
        client: Client = await Client(address, asynchronous=True, timeout=CONNECT_S)
    except (OSError, TimeoutError, ValueError) as error:
        raise SetupError(f"no Dask scheduler answers at {address}: {error}") from None
    async with client:
        await _check_workers(client, address, tools, emit)
        pool = ClusterPool(client, tools, settings)
        async with pool:
            yield pool


async def _check_workers(client: Client, address: str, tools: Mapping[str, str], emit: Emit) -> None:
    """Check that every worker can run cases.

    :raise SetupError: if there is no worker, or one cannot.
    """
    try:
        await client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError:
        raise SetupError(f"no worker has joined the scheduler at {address} within {CONNECT_S} s") from None
    answers: dict[str, WorkerInfo | BaseException] = await client.run(describe_worker, dict(tools), on_error="return")
    for worker, answer in answers.items():
        problem = _find_problem(answer)
        if problem:
            raise SetupError(f"worker {worker} cannot run cases: {problem}")
    builds = {answer.qemu for answer in answers.values() if isinstance(answer, WorkerInfo)}
    if len(builds) > 1:
        emit(Notice(f"the workers have different builds of QEMU: {'; '.join(sorted(builds))}"))


def _find_problem(answer: WorkerInfo | BaseException) -> str:
    if isinstance(answer, ModuleNotFoundError):
        return f"run-scenarios is not installed there ({answer})"
    if isinstance(answer, BaseException):
        return f"{type(answer).__name__}: {answer}"
    if answer.version != __version__:
        return f"it has run-scenarios {answer.version}, but this is {__version__}"
    return answer.problem


class ClusterPool:
    """Runs cases on the workers of a cluster; use it as a context."""

    slots = MAX_IN_FLIGHT

    def __init__(self, client: Client, tools: Mapping[str, str], settings: Settings) -> None:
        self.run = f"run-scenarios-{secrets.token_hex(8)}"
        self.client = client
        self.tools = tools
        self.settings = settings
        self.began = time.monotonic()
        self.abandoned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done after `WORKERLESS_S` seconds without a worker."""
        self._cases: dict[int, RemoteCase] = {}
        self._slots: dict[str, list[int]] = {}
        self._workers: set[str] = set()
        self._alarm: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self.client.subscribe_topic(self.run, self._note_start)
        self.client.subscribe_topic("all", self._note_worker)
        self._workers = set(await self.client.nthreads())
        self._watch_workers()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Stop the cases that still run, and remove what the scheduler stored about them."""
        if self._alarm:
            self._alarm.cancel()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(DISCONNECT_S):
                await self.client.run(stop_run, self.run, on_error="ignore")
                await self.client.set_metadata([self.run], None)
                self.client.unsubscribe_topic(self.run)

    def start(self, task: Task, slot: int, emit: Emit) -> RemoteCase:
        """Return the case, which is submitted when its result is awaited; `slot` is not used."""
        case = self._cases[task.index] = RemoteCase(self, task, emit)
        return case

    def note_end(self, index: int, worker: str) -> None:
        """Forget a case that is no longer in flight."""
        del self._cases[index]
        running = self._slots.get(worker, [])
        if index in running:
            running[running.index(index)] = FREE

    def _note_start(self, event: tuple[float, dict[str, Any]]) -> None:
        _, message = event
        case = self._cases.get(message["index"])
        if case:
            case.begin(message["name"])

    def assign_slot(self, index: int, worker: str) -> int:
        """Return the number of a case's row in a timeline; cases that run at the same time have different rows."""
        running = self._slots.setdefault(worker, [])
        if FREE not in running:
            running.append(FREE)
        place = running.index(FREE)
        running[place] = index
        before = itertools.takewhile(lambda name: name != worker, self._slots)
        return sum(len(self._slots[name]) for name in before) + place

    def _note_worker(self, event: tuple[float, dict[str, Any]]) -> None:
        _, message = event
        match message:
            case {"action": "add-worker", "worker": worker}:
                self._workers.add(worker)
            case {"action": "remove-worker", "worker": worker}:
                self._workers.discard(worker)
        self._watch_workers()

    def _watch_workers(self) -> None:
        if self._workers and self._alarm:
            self._alarm.cancel()
            self._alarm = None
        elif not self._workers and not self._alarm:
            self._alarm = asyncio.get_running_loop().call_later(WORKERLESS_S, self._give_up)

    def _give_up(self) -> None:
        if not self.abandoned.done():
            self.abandoned.set_result(None)


@dataclass
class RemoteCase:
    """One case in flight."""

    pool: ClusterPool
    task: Task
    emit: Emit
    workers: list[str] = field(default_factory=list)
    _began: float = 0.0

    async def result(self) -> Result:
        """Run the case, and return its result; its logs are stored here as if it had run here."""
        try:
            response = await self._get_response()
        finally:
            self.pool.note_end(self.task.index, self.workers[-1] if self.workers else "")
        if not self.workers:
            self.begin("unknown")
        for event in response.events:
            self.emit(event)
        if not response.files:
            return response.result
        try:
            kept = self.pool.settings.workspace.store_artifacts(self.task.point.name, response.files)
        except SetupError as error:
            return self._make_broken_response(str(error)).result
        return replace(response.result, artifacts=kept)

    def interrupted(self, reason: str) -> Result | None:
        """Return the result of a case that is being stopped, None if it has not begun."""
        if not self.workers:
            return None
        failure = Failure(Diagnostic(self.task.case.load().span, f"{reason}, on {self.workers[-1]}"))
        return Result(Outcome.INTERRUPTED, time.monotonic() - self._began, failure)

    def begin(self, worker: str) -> None:
        """Note that a worker has begun to run the case, for the second time if the first worker died."""
        self.workers.append(worker)
        if len(self.workers) == 1:
            self._began = time.monotonic()
            slot = self.pool.assign_slot(self.task.index, worker)
            self.emit(CaseStarted(self.task.index, slot, self._began - self.pool.began))

    async def _get_response(self) -> CaseResponse:
        request = self._make_request()
        for _ in range(MAX_ATTEMPTS):
            future = self.pool.client.submit(run_case, pack(request), pure=False)
            try:
                return await self._wait_for_response(future, request)
            except KilledWorker:
                # The scheduler is configured to give up earlier than `MAX_ATTEMPTS`.
                continue
            finally:
                future.release()
        return make_lost_response(request, self.workers)

    async def _wait_for_response(self, future: Any, request: CaseRequest) -> CaseResponse:
        answer = asyncio.ensure_future(future.result())
        try:
            await asyncio.wait((answer, self.pool.abandoned), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                return self._make_broken_response("every worker has left the cluster")
            packed = await answer
        except KilledWorker:
            raise
        except Exception as error:
            return self._make_broken_response(f"the cluster failed: {type(error).__name__}: {error}")
        finally:
            answer.cancel()
        response = unpack(packed)
        assert isinstance(response, CaseResponse)
        return response

    def _make_broken_response(self, message: str) -> CaseResponse:
        failure = Failure(Diagnostic(self.task.case.load().span, message))
        return CaseResponse(self.pool.run, self.task.index, Result(Outcome.BROKEN, failure=failure))

    def _make_request(self) -> CaseRequest:
        pool, task = self.pool, self.task
        keep_logs, records_traffic = pool.settings.workspace.keeps_artifacts_of_all, pool.settings.records_traffic
        return CaseRequest(pool.run, task.index, task.case, task.point, pool.tools, keep_logs, records_traffic)
