"""What travels: a case with its text and procedures one way; its result and logs the other. Imports model, plan.

Pickled, for both ends are the same version of ours, and whoever can reach a Dask scheduler can run code on its workers
anyway.
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
    """One case on its way to a worker.

    :param run: tells the runs apart that one worker may serve.
    :param tools: the programs that were named for this run, by tool; they are looked up on the worker.
    :param keep_logs: whether the logs are wanted even if the case passes.
    :param records_traffic: whether the QMP messages and tools of each step are wanted.
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
    """What came of a case.

    :param files: its logs, by path below the case's directory of artifacts.
    """

    run: str
    index: int
    result: Result
    events: tuple[RunEvent, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class StopRun:
    """The order to end what runs of one run."""

    run: str


Message = CaseRequest | CaseResponse | StopRun


def pack(message: Message) -> bytes:
    """Return a message as bytes."""
    return zlib.compress(pickle.dumps(message), 1)


def unpack(packed: bytes) -> Message:
    """Return the message that `pack` was given."""
    message: Message = pickle.loads(zlib.decompress(packed))
    return message


def send(stream: IO[bytes], message: Message) -> None:
    """Write a message to a pipe.

    :raise OSError: if its reader has gone.
    """
    packed = pack(message)
    stream.write(LENGTH.pack(len(packed)) + packed)
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Read a message from a pipe, None at its end.

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
