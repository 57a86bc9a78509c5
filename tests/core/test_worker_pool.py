"""Work over processes: in order, and nothing left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from run_scenarios.core.worker_pool import BATCH, map_in_order


def children() -> str:
    """Return the processes that this one has started and not seen ending."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()


@pytest.mark.parametrize("count", [0, 1, BATCH, 3 * BATCH + 1, 10 * BATCH])
def test_results_come_in_order_from_several_processes(count: int) -> None:
    before = children()
    results = list(map_in_order(lambda item: (item, os.getpid()), range(count), 3))
    assert [item for item, _ in results] == list(range(count))
    assert len({pid for _, pid in results} - {os.getpid()}) == min(3, -(-count // BATCH))
    assert children() == before


def test_what_fails_in_a_process_is_told_here() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        list(map_in_order(lambda item: 1 // (item - 60), range(100), 2))


def test_a_process_that_is_killed_is_no_silence() -> None:
    with pytest.raises(RuntimeError, match="ended before its work was done"):
        list(map_in_order(lambda item: os.kill(os.getpid(), signal.SIGKILL), range(100), 2))


def test_nothing_is_left_when_nobody_wants_the_rest() -> None:
    before = children()
    results = map_in_order(lambda item: "x" * 100_000, range(1000), 2)
    next(results)
    assert children() != before
    results.close()  # type: ignore[attr-defined]
    assert children() == before


ORPHANING = """
import os, signal
from run_scenarios.core.worker_pool import map_in_order
for pid in map_in_order(lambda item: (os.getpid(), "x" * 100_000), range(10_000), 2):
    print(pid[0], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_end_when_their_reader_is_killed() -> None:
    """They hold the standard output open, so it ends when they do."""
    done = subprocess.run([sys.executable, "-c", ORPHANING], stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert int(done.stdout) > 0
