"""Map a function over items in forked workers, with the results in the order of the items.

Each of the n workers processes every n-th batch and exits. A worker that cannot write its results exits too, so none
survives this process, even if it is killed; the workers of `ProcessPoolExecutor` do. A worker that is killed is an
error; `multiprocessing.Pool` waits for its results forever.
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
    """Yield the result of `work` for each item, in order.

    :param work: its results are pickled.
    :raise RuntimeError: if it raises an exception, or a worker is killed.
    """
    batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
    workers = [_start_worker(work, batches[number::processes]) for number in range(processes)]
    try:
        for number in range(len(batches)):
            yield from _receive(workers[number % processes][1])
    finally:
        for pid, results in workers:
            results.close()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _start_worker(work: Callable[[T], R], batches: Sequence[Sequence[T]]) -> tuple[int, IO[bytes]]:
    """Return the pid of a new worker and the pipe from which its results are read."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, os.fdopen(reading, "rb")
    try:
        os.close(reading)
        with os.fdopen(writing, "wb") as results:
            for batch in batches:
                _send(results, _run_batch(work, batch))
    finally:
        # The worker must never return into the code of the parent.
        os._exit(0)


def _run_batch(work: Callable[[T], R], batch: Sequence[T]) -> list[R] | str:
    try:
        return [work(item) for item in batch]
    except Exception:
        return traceback.format_exc()


def _send(results: IO[bytes], value: object) -> None:
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    results.write(LENGTH.pack(len(data)))
    results.write(data)
    results.flush()


def _receive(results: IO[bytes]) -> list[Any]:
    head = results.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise RuntimeError("a worker process ended before its work was done")
    (length,) = LENGTH.unpack(head)
    batch = pickle.loads(results.read(length))
    if isinstance(batch, str):
        raise RuntimeError(f"a worker process failed:\n{batch}")
    assert isinstance(batch, list)
    return batch
