"""The messages between the driver, the workers and their agents.

They are pickled: both ends must have the same version of run-scenarios, and everyone who can reach a Dask scheduler can
run code on its workers anyway.
"""

from __future__ import annotations

import pickle
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO

from run_scenarios.core.events import Result, RunEvent, TestPoint
from run_scenarios.scenario.case import Case

LENGTH = struct.Struct("!Q")


@dataclass(frozen=True)
class CaseRequest:
    """A request to run one case.

    :param run: the id of the run; a worker may serve several.
    :param tools: the programs given on the command line, by tool; they are looked up on the worker.
    :param keep_logs: whether to return the logs of a case that passes, too.
    :param records_traffic: whether to return the QMP messages and tools of each step.
    """

    run: str
    index: int
    case: Case
    point: TestPoint
    tools: Mapping[str, str]
    keep_logs: bool = False
    records_traffic: bool = False


@dataclass(frozen=True)
class CaseResponse:
    """The result of a case.

    :param files: its logs, by path below the case's directory of artifacts.
    """

    run: str
    index: int
    result: Result
    events: tuple[RunEvent, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class StopRun:
    """A request to stop the cases of one run."""

    run: str


Message = CaseRequest | CaseResponse | StopRun


def pack(message: Message) -> bytes:
    """Serialize a message."""
    return zlib.compress(pickle.dumps(message), 1)


def unpack(packed: bytes) -> Message:
    """Return the message that `pack` serialized."""
    message: Message = pickle.loads(zlib.decompress(packed))
    return message


def send(stream: IO[bytes], message: Message) -> None:
    """Write a message to a pipe.

    :raise OSError: if the reader has gone.
    """
    packed = pack(message)
    stream.write(LENGTH.pack(len(packed)) + packed)
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Read a message from a pipe; return None at its end.

    :raise EOFError: if it ends within a message.
    """
    head = stream.read(LENGTH.size)
    if not head:
        return None
    (length,) = LENGTH.unpack(head)
    packed = stream.read(length)
    if len(packed) < length:
        raise EOFError("the pipe ended within a message")
    return unpack(packed)
