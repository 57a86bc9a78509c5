"""Limit the CPU time and memory of one computation."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from run_scenarios.core.errors import RunnerError

MEMORY = 100 << 20
STATM = Path("/proc/self/statm")


class LimitExceeded(RunnerError):
    """A computation exceeded its limit and was stopped."""


@contextmanager
def limit_resources(what: str, cpu_s: float) -> Iterator[None]:
    """Limit the body to `cpu_s` seconds of CPU time and to 100 MiB of memory beyond that in use.

    Use it in the main thread only, and do not start processes in the body: they would inherit the memory limit. Only
    the CPU time of this process counts, so other load does not matter. Python code and Python's regular expressions
    can be interrupted. Nested limits all apply.

    :param what: the subject of the message: "checking this file".
    :raise TooMuch: if it needs more.
    """

    def stop(*_: object) -> None:
        raise LimitExceeded(f"{what} takes more than {cpu_s:g} s")

    handler = signal.signal(signal.SIGVTALRM, stop)
    left, _ = signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        with _limit_memory():
            yield
    except MemoryError:
        raise LimitExceeded(f"{what} takes more than {MEMORY >> 20} MiB") from None
    finally:
        spent = cpu_s - signal.setitimer(signal.ITIMER_VIRTUAL, 0)[0]
        signal.signal(signal.SIGVTALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_VIRTUAL, max(left - spent, 1e-6))


@contextmanager
def _limit_memory() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with STATM.open("rb", buffering=0) as statm:
        in_use = int(statm.read().split()[0]) * resource.getpagesize()
    bound = in_use + MEMORY
    if soft == resource.RLIM_INFINITY or bound < soft:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
