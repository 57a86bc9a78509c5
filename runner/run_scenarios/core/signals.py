"""Signals that ask the command to stop."""

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
    """Raise `Interrupted` on a stop signal; restore the handlers on exit.

    A signal that was ignored when the command started, as under nohup, stays ignored.
    """
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in _list_stop_signals():
        signal.signal(number, _raise_interrupted)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch_stop_signals() -> asyncio.Future[Interrupted]:
    """Return a future that the first stop signal completes; later signals have no effect."""
    import asyncio

    loop = asyncio.get_running_loop()
    stop: asyncio.Future[Interrupted] = loop.create_future()

    def note(number: int) -> None:
        if not stop.done():
            stop.set_result(Interrupted(number))

    for number in _list_stop_signals():
        loop.add_signal_handler(number, note, number)
    return stop


def ignore_stop_signals() -> None:
    """Ignore stop signals from now on, so that cleaning up is not interrupted."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _list_stop_signals() -> list[signal.Signals]:
    return [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def _raise_interrupted(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)
