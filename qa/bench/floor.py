"""The child processes and the QMP traffic of a case, and nothing else: what no runner can be faster than.

    python -m qa.bench.floor TRACE TIMES WORKERS

The trace of the case is replayed by blocking code, in a thread for each case that runs at a time. What the runner
waited for is waited for: a tool's end, a command's reply, a job's end.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BufferedRWPair
from pathlib import Path
from typing import Any

DEADLINE_S = 60.0


@dataclass(frozen=True)
class Record:
    """One record of a trace, as README describes it."""

    kind: str
    vm: str | None
    data: Any


Trace = Sequence[Record]


def read_trace(file: Path) -> Trace:
    """Return the records of a `trace.jsonl` that say what to do."""
    records = [json.loads(line) for line in file.read_text().splitlines()]
    return [
        Record(each["kind"], each["vm"], each["data"])
        for each in records
        if each["kind"] in ("exec", "exit", "send", "recv")
    ]


def replay(trace: Trace, times: int, workers: int) -> None:
    """Replay a trace so many times, so many at a time.

    :raise Diverged: if QEMU or a tool does something else than it did in the trace.
    """
    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(lambda _: _replay_once(trace), range(times)))


class Diverged(Exception):
    """The replay went another way than the trace."""


@dataclass
class _Machine:
    """A QEMU and what it has said so far."""

    process: subprocess.Popen[bytes]
    wire: BufferedRWPair
    replies: int = 0
    ends: Counter[str] = field(default_factory=Counter)

    def read(self) -> None:
        message = json.loads(self.wire.readline())
        if "event" in message:
            self.ends[_ended_job(message)] += 1
        else:
            self.replies += 1


def _replay_once(trace: Trace) -> None:
    machines: dict[str, _Machine] = {}
    expected: dict[str, _Machine] = {}
    with tempfile.TemporaryDirectory(prefix="run-scenarios-floor-") as directory, ExitStack() as stack:
        for record, end in _with_ends(trace):
            if record.vm is None:
                if record.kind == "exec":
                    _run(record.data, directory, end)
            elif record.kind == "exec":
                machines[record.vm] = _start(record.data, directory, stack)
                expected[record.vm] = _Machine(machines[record.vm].process, machines[record.vm].wire)
            elif record.kind == "send":
                machines[record.vm].wire.write(json.dumps(record.data).encode() + b"\n")
                machines[record.vm].wire.flush()
            elif record.kind == "recv":
                _wait_for(record.data, machines[record.vm], expected[record.vm])
            else:
                machines[record.vm].process.wait(DEADLINE_S)


def _with_ends(trace: Trace) -> Iterator[tuple[Record, int]]:
    """Yield each record, and for a tool that is started the status it ended with."""
    for number, record in enumerate(trace):
        ends = (each.data for each in trace[number:] if each.kind == "exit" and each.vm is None)
        yield record, next(ends, 0)


def _run(argv: Sequence[str], directory: str, status: int) -> None:
    done = subprocess.run(
        argv, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if done.returncode != status:
        raise Diverged(f"{argv} ended with {done.returncode}, not {status}")


def _start(argv: Sequence[str], directory: str, stack: ExitStack) -> _Machine:
    ours, theirs = socket.socketpair()
    ours.settimeout(DEADLINE_S)
    with ours, theirs:
        process = subprocess.Popen(
            [re.sub(r"^(socket,id=qmp,fd=)\d+$", rf"\g<1>{theirs.fileno()}", word) for word in argv],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        wire = stack.enter_context(ours.makefile("rwb"))
    stack.enter_context(process)
    stack.callback(process.kill)
    return _Machine(process, wire)


def _wait_for(message: dict[str, Any], machine: _Machine, expected: _Machine) -> None:
    """Read until as many replies, or ends of this job, have come as in the trace by here; other events just come."""
    if "event" not in message:
        expected.replies += 1
        while machine.replies < expected.replies:
            machine.read()
    elif _ended_job(message):
        expected.ends[_ended_job(message)] += 1
        while machine.ends[_ended_job(message)] < expected.ends[_ended_job(message)]:
            machine.read()


def _ended_job(message: dict[str, Any]) -> str:
    """Return the id of the job that an event says has gone, "" if it says something else."""
    data = message.get("data", {})
    return str(data["id"]) if message.get("event") == "JOB_STATUS_CHANGE" and data["status"] == "null" else ""


if __name__ == "__main__":
    replay(read_trace(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3]))
