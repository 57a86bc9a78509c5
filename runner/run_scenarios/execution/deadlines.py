"""Time limits on the work of one case, suspended while a person looks at it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from run_scenarios.core.errors import TimeLimitExceeded

T = TypeVar("T")


class Deadlines:
    """The deadlines of one case that are running: the case's own and those of its nested steps.

    :param waiting_for: names in error messages what the case is waiting for at the moment.
    """

    def __init__(self) -> None:
        self.waiting_for = "nothing yet"
        self._running: list[asyncio.Timeout] = []

    async def run_within(self, limit_s: float | None, work: Coroutine[Any, Any, T], late: str = "timed out") -> T:
        """Return the result of `work`.

        :param limit_s: seconds, None for no limit.
        :param late: opens the message of the error.
        :raise TimeLimitExceeded: if it takes longer.
        """
        if limit_s is None:
            return await work
        try:
            async with asyncio.timeout(limit_s) as deadline:
                self._running.append(deadline)
                try:
                    return await work
                finally:
                    self._running.remove(deadline)
        except TimeoutError:
            if not deadline.expired():
                raise
            message = f"{late} after {limit_s:g} s, waiting for {self.waiting_for}"
            raise TimeLimitExceeded(message, limit_s) from None

    async def suspend_during(self, wait: Coroutine[Any, Any, None]) -> float:
        """Wait with every deadline suspended, and return how many seconds that took."""
        began, deadlines = time.monotonic(), {each: each.when() for each in self._running}
        for deadline in deadlines:
            deadline.reschedule(None)
        await wait
        paused = time.monotonic() - began
        for deadline, when in deadlines.items():
            deadline.reschedule(None if when is None else when + paused)
        return paused
