"""Signals that ask the command to stop. Imports nothing of ours."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The command was asked to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.exit_status = 128 + number


@contextlib.contextmanager
def raise_on_stop_signals() -> Iterator[None]:
    """Have a stopping signal raise `Interrupted`, and put the handlers back in the end.

    A signal that whoever started us had ignored, as nohup does, stays ignored.
    """
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in _heeded():
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch_stop_signals() -> asyncio.Future[Interrupted]:
    """Return a future that the first stopping signal completes while this loop runs; further ones change nothing."""
    import asyncio

    loop = asyncio.get_running_loop()
    stop: asyncio.Future[Interrupted] = loop.create_future()

    def note(number: int) -> None:
        if not stop.done():
            stop.set_result(Interrupted(number))

    for number in _heeded():
        loop.add_signal_handler(number, note, number)
    return stop


def ignore_stop_signals() -> None:
    """Let no signal cut short what is left to do."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _heeded() -> list[signal.Signals]:
    return [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def _raise(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)
