"""An end to what may never end, or grow for ever: bounds on one computation. Imports errors only."""

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
    """A computation was stopped."""


@contextmanager
def limit_resources(what: str, cpu_s: float) -> Iterator[None]:
    """Run a block that may need so many seconds of processor time, and 100 MiB more of memory than there is in use.

    Only for the main thread, and for what starts no process: it would inherit the bound. A loaded machine changes
    nothing, for it is the time of this process alone that counts. Python's regular expressions look for signals while
    they match, and so does whatever is written in Python. One within another is bound by both.

    :param what: what the message says needs too much.
    :raise TooMuch: if it needs more.
    """

    def stop(*_: object) -> None:
        raise LimitExceeded(f"{what} takes more than {cpu_s:g} s")

    handler = signal.signal(signal.SIGVTALRM, stop)
    left, _ = signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        with _little_memory():
            yield
    except MemoryError:
        raise LimitExceeded(f"{what} takes more than {MEMORY >> 20} MiB") from None
    finally:
        spent = cpu_s - signal.setitimer(signal.ITIMER_VIRTUAL, 0)[0]
        signal.signal(signal.SIGVTALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_VIRTUAL, max(left - spent, 1e-6))


@contextmanager
def _little_memory() -> Iterator[None]:
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
