"""What Dask calls on each machine: find our agent there, hand it a case, wait for what comes of it. Imports parcel.

A case runs in the agent and not in the worker itself, so that neither can take the other with it, and nothing of ours
forks in a process full of threads.
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
# What a case may take beyond its own limit: the time to end its processes and to pack its logs.
GRACE_S = 60.0


@dataclass(frozen=True)
class WorkerInfo:
    """Who answers on a worker: our version there, its QEMU, and why it cannot run cases, "" if it can."""

    version: str
    qemu: str = ""
    problem: str = ""


def describe_worker(tools: Mapping[str, str]) -> WorkerInfo:
    """Tell who answers here."""
    try:
        programs = find_programs(tools, os.environ)
        shown = subprocess.run([programs["qemu"], "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (SetupError, OSError, subprocess.SubprocessError) as error:
        return WorkerInfo(__version__, problem=str(error))
    return WorkerInfo(__version__, shown.stdout.partition("\n")[0])


def run_case(packed: bytes) -> bytes:
    """Run the case in a packed `CaseRequest`, and return a packed `CaseResponse`.

    Says at once that it begins, under the run's name as topic. A case that two workers have died of, or with, is not
    tried a third time.
    """
    parcel = unpack(packed)
    assert isinstance(parcel, CaseRequest)
    here = str(get_worker().name)
    tried = _tried(parcel, here)
    if len(tried) > MAX_ATTEMPTS:
        return pack(make_lost_response(parcel, tried[:MAX_ATTEMPTS]))
    get_worker().log_event(parcel.run, {"index": parcel.index, "name": here})
    return pack(_AgentProcess.here().run(parcel))


def stop_run(run: str) -> None:
    """End the cases of a run that are running here."""
    _AgentProcess.here().tell(StopRun(run))


def make_lost_response(parcel: CaseRequest, workers: list[str]) -> CaseResponse:
    """Return the delivery for a case whose workers died."""
    message = f"the workers that ran it died: {' and '.join(workers) or 'unknown'}"
    failure = Failure(Diagnostic(parcel.case.load().span, message))
    return CaseResponse(parcel.run, parcel.index, Result(Outcome.BROKEN, failure=failure))


def _tried(parcel: CaseRequest, here: str) -> list[str]:
    """Return the workers that this case has come to, this one last; the scheduler remembers."""
    key = [parcel.run, str(parcel.index)]
    client = get_client()
    tried: list[str] = [*client.get_metadata(key, []), here]
    client.set_metadata(key, tried)
    return tried


class _AgentProcess:
    """The agent of this worker, from our side."""

    _lock = threading.Lock()
    _one: _AgentProcess | None = None

    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "run_scenarios.execution.cluster.agent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._waiting: dict[tuple[str, int], queue.SimpleQueue[CaseResponse | None]] = {}
        self._sending = threading.Lock()
        self.has_ended = False
        threading.Thread(target=self._listen, daemon=True).start()

    @classmethod
    def here(cls) -> _AgentProcess:
        """Return the agent of this worker; one that has ended is replaced."""
        with cls._lock:
            if cls._one is None or cls._one.has_ended:
                cls._one = cls()
            return cls._one

    def run(self, parcel: CaseRequest) -> CaseResponse:
        """Have a case run, and wait for its delivery."""
        arrived: queue.SimpleQueue[CaseResponse | None] = queue.SimpleQueue()
        self._waiting[parcel.run, parcel.index] = arrived
        limit = (parcel.case.load_timeout_s() or CASE_TIMEOUT_S) + GRACE_S
        try:
            self.tell(parcel)
            delivery = None if self.has_ended else arrived.get(timeout=limit)
        except queue.Empty:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            delivery = None
        finally:
            self._waiting.pop((parcel.run, parcel.index), None)
        if delivery is None:
            failure = Failure(Diagnostic(parcel.case.load().span, f"the agent on {get_worker().name} ended"))
            return CaseResponse(parcel.run, parcel.index, Result(Outcome.BROKEN, failure=failure))
        return delivery

    def tell(self, message: Message) -> None:
        """Send a message, unless the agent has gone."""
        with self._sending, contextlib.suppress(OSError):
            assert self._popen.stdin
            send(self._popen.stdin, message)

    def _listen(self) -> None:
        assert self._popen.stdout
        with contextlib.suppress(EOFError, OSError):
            while isinstance(delivery := receive(self._popen.stdout), CaseResponse):
                arrived = self._waiting.get((delivery.run, delivery.index))
                if arrived:
                    arrived.put(delivery)
        self.has_ended = True
        for arrived in list(self._waiting.values()):
            arrived.put(None)
        self._popen.wait()
