"""The functions that Dask calls on each worker: they pass cases to the agent next to it.

A case runs in the agent and not in the worker, so that neither can crash the other, and that the runner never forks in
a process with many threads.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from distributed import get_client, get_worker

from run_scenarios import __version__
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.errors import SetupError
from run_scenarios.core.events import Failure, Outcome, Result
from run_scenarios.execution.case_runner import CASE_TIMEOUT_S
from run_scenarios.execution.cluster.messages import (
    CaseRequest,
    CaseResponse,
    Message,
    StopRun,
    pack,
    receive,
    send,
    unpack,
)
from run_scenarios.qemu.programs import find_programs

MAX_ATTEMPTS = 2
# The time that a case may take beyond its own limit, to stop its processes and to pack its logs.
GRACE_S = 60.0


@dataclass(frozen=True)
class WorkerInfo:
    """The version of run-scenarios on a worker, its QEMU, and why it cannot run cases, "" if it can."""

    version: str
    qemu: str = ""
    problem: str = ""


def describe_worker(tools: Mapping[str, str]) -> WorkerInfo:
    """Return the versions on this worker."""
    try:
        programs = find_programs(tools, os.environ)
        shown = subprocess.run([programs["qemu"], "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (SetupError, OSError, subprocess.SubprocessError) as error:
        return WorkerInfo(__version__, problem=str(error))
    return WorkerInfo(__version__, shown.stdout.partition("\n")[0])


def run_case(packed: bytes) -> bytes:
    """Run the case of a packed `CaseRequest`, and return a packed `CaseResponse`.

    Logs a Dask event with the run as its topic before it begins. A case that was running on two workers when they died
    is not tried a third time.
    """
    request = unpack(packed)
    assert isinstance(request, CaseRequest)
    here = str(get_worker().name)
    tried = _note_attempt(request, here)
    if len(tried) > MAX_ATTEMPTS:
        return pack(make_lost_response(request, tried[:MAX_ATTEMPTS]))
    get_worker().log_event(request.run, {"index": request.index, "name": here})
    return pack(_AgentProcess.get().run_case(request))


def stop_run(run: str) -> None:
    """Stop the cases of a run that are running here."""
    _AgentProcess.get().send(StopRun(run))


def make_lost_response(request: CaseRequest, workers: list[str]) -> CaseResponse:
    """Return the response for a case whose workers died."""
    message = f"the workers that ran it died: {' and '.join(workers) or 'unknown'}"
    failure = Failure(Diagnostic(request.case.load().span, message))
    return CaseResponse(request.run, request.index, Result(Outcome.BROKEN, failure=failure))


def _note_attempt(request: CaseRequest, here: str) -> list[str]:
    """Return the workers that have tried this case, this one last; the scheduler stores them."""
    key = [request.run, str(request.index)]
    client = get_client()
    tried: list[str] = [*client.get_metadata(key, []), here]
    client.set_metadata(key, tried)
    return tried


class _AgentProcess:
    """The agent of this worker, as a child process."""

    _lock = threading.Lock()
    _instance: _AgentProcess | None = None

    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "run_scenarios.execution.cluster.agent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._waiting: dict[tuple[str, int], queue.SimpleQueue[CaseResponse | None]] = {}
        self._send_lock = threading.Lock()
        self.has_exited = False
        threading.Thread(target=self._listen, daemon=True).start()

    @classmethod
    def get(cls) -> _AgentProcess:
        """Return the agent of this worker, starting one if none is running."""
        with cls._lock:
            if cls._instance is None or cls._instance.has_exited:
                cls._instance = cls()
            return cls._instance

    def run_case(self, request: CaseRequest) -> CaseResponse:
        """Pass a case to the agent, and wait for its response."""
        arrived: queue.SimpleQueue[CaseResponse | None] = queue.SimpleQueue()
        self._waiting[request.run, request.index] = arrived
        limit = (request.case.load_timeout_s() or CASE_TIMEOUT_S) + GRACE_S
        try:
            self.send(request)
            response = None if self.has_exited else arrived.get(timeout=limit)
        except queue.Empty:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            response = None
        finally:
            self._waiting.pop((request.run, request.index), None)
        if response is None:
            failure = Failure(Diagnostic(request.case.load().span, f"the agent on {get_worker().name} ended"))
            return CaseResponse(request.run, request.index, Result(Outcome.BROKEN, failure=failure))
        return response

    def send(self, message: Message) -> None:
        """Send a message; do nothing if the agent has exited."""
        with self._send_lock, contextlib.suppress(OSError):
            assert self._popen.stdin
            send(self._popen.stdin, message)

    def _listen(self) -> None:
        assert self._popen.stdout
        with contextlib.suppress(EOFError, OSError):
            while isinstance(response := receive(self._popen.stdout), CaseResponse):
                arrived = self._waiting.get((response.run, response.index))
                if arrived:
                    arrived.put(response)
        self.has_exited = True
        for arrived in list(self._waiting.values()):
            arrived.put(None)
        self._popen.wait()
