"""Work that is spread over processes, its results in the order of the items. Imports nothing of ours.

The processes are forks of this one, and have all it has read. Each does every n-th batch of items and ends; one
whose reader has gone away ends with its next batch, so that none is left behind even if this process is killed.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
BATCH = 25
LENGTH = struct.Struct("Q")


def map_in_order(work: Callable[[T], R], items: Sequence[T], processes: int) -> Iterator[R]:
    """Yield what `work` makes of each item, in order.

    :param work: what it returns is pickled.
    :raise RuntimeError: if it raises anything, or its process is ended from outside.
    """
    batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
    workers = [_start(work, batches[number::processes]) for number in range(processes)]
    try:
        for number in range(len(batches)):
            yield from _received(workers[number % processes][1])
    finally:
        for pid, results in workers:
            results.close()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _start(work: Callable[[T], R], batches: Sequence[Sequence[T]]) -> tuple[int, IO[bytes]]:
    """Return the process that does these batches, and where its results come from."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, os.fdopen(reading, "rb")
    try:
        os.close(reading)
        with os.fdopen(writing, "wb") as results:
            for batch in batches:
                _send(results, _done(work, batch))
    finally:
        # Whatever happens, no more of this process than what it is there for.
        os._exit(0)


def _done(work: Callable[[T], R], batch: Sequence[T]) -> list[R] | str:
    try:
        return [work(item) for item in batch]
    except Exception:
        return traceback.format_exc()


def _send(results: IO[bytes], value: object) -> None:
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    results.write(LENGTH.pack(len(data)))
    results.write(data)
    results.flush()


def _received(results: IO[bytes]) -> list[Any]:
    head = results.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise RuntimeError("a process that reads scenarios has ended before its work was done")
    (length,) = LENGTH.unpack(head)
    batch = pickle.loads(results.read(length))
    if isinstance(batch, str):
        raise RuntimeError(f"a process that reads scenarios has failed:\n{batch}")
    assert isinstance(batch, list)
    return batch
