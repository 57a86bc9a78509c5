"""The files that a case waits for, of which its event loop knows one. Imports nothing of ours.

To have a file watched by the loop itself costs as much as twenty system calls, and each child has three for a moment.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable


class Watch:
    """Calls back when a file can be read; it lasts until it is closed, and begins again with the next file."""

    def __init__(self) -> None:
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._epoll: select.epoll | None = None

    def add(self, file: int, callback: Callable[[], object]) -> None:
        """Have `callback` called whenever this file descriptor can be read."""
        if self._epoll is None:
            self._epoll = select.epoll()
            asyncio.get_running_loop().add_reader(self._epoll, self._call)
        self._epoll.register(file, select.EPOLLIN)
        self._callbacks[file] = callback

    def remove(self, file: int) -> None:
        """Take back `add`, before the file is closed."""
        del self._callbacks[file]
        assert self._epoll
        self._epoll.unregister(file)

    def close(self) -> None:
        """Let go of everything; it does nothing if nothing was added."""
        if self._epoll is not None:
            asyncio.get_running_loop().remove_reader(self._epoll)
            self._epoll.close()
            self._epoll = None
            self._callbacks.clear()

    def _call(self) -> None:
        assert self._epoll
        for file, _ in self._epoll.poll(0):
            # One of them may take back another.
            callback = self._callbacks.get(file)
            if callback is not None:
                callback()
