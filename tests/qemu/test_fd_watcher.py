"""Many files are watched through one, each until it is let go of."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from run_scenarios.qemu.fd_watcher import Watch

Work = Callable[[Watch], Awaitable[None]]


def run_with(work: Work) -> None:
    """Run a coroutine with a watch; nothing goes wrong where only the loop would see it."""
    errors: list[object] = []

    async def inner() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: errors.append(what))
        watch = Watch()
        try:
            await work(watch)
        finally:
            watch.close()

    asyncio.run(inner())
    assert errors == []


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """Yield the two ends of a pipe."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


async def a_moment() -> None:
    """Let the loop look at its files."""
    await asyncio.sleep(0.01)


def test_each_file_calls_back_while_there_is_something_to_read() -> None:
    async def work(watch: Watch) -> None:
        with pipe() as (one, to_one), pipe() as (other, to_other):
            seen: list[bytes] = []
            watch.add(one, lambda: seen.append(os.read(one, 1)))
            watch.add(other, lambda: seen.append(os.read(other, 1)))
            await a_moment()
            assert seen == []
            os.write(to_one, b"ab")
            os.write(to_other, b"c")
            await a_moment()
            assert sorted(seen) == [b"a", b"b", b"c"]
            watch.remove(one)
            os.write(to_one, b"d")
            await a_moment()
            assert len(seen) == 3
            watch.add(one, lambda: seen.append(os.read(one, 1)))
            await a_moment()
            assert seen[3:] == [b"d"]

    run_with(work)


def test_one_file_may_let_go_of_another_that_is_ready_too() -> None:
    async def work(watch: Watch) -> None:
        with pipe() as (one, to_one), pipe() as (other, to_other):
            seen: list[int] = []

            def only(this: int, that: int) -> None:
                seen.append(this)
                watch.remove(this)
                watch.remove(that)

            watch.add(one, lambda: only(one, other))
            watch.add(other, lambda: only(other, one))
            os.write(to_one, b"a")
            os.write(to_other, b"b")
            await a_moment()
            assert len(seen) == 1

    run_with(work)


def test_it_ends_when_closed_and_begins_again() -> None:
    async def work(watch: Watch) -> None:
        watch.close()
        with pipe() as (one, to_one):
            seen: list[bytes] = []
            watch.add(one, lambda: seen.append(os.read(one, 1)))
            watch.close()
            os.write(to_one, b"a")
            await a_moment()
            assert seen == []
            watch.add(one, lambda: seen.append(os.read(one, 1)))
            await a_moment()
            assert seen == [b"a"]

    run_with(work)


def test_a_watch_that_is_closed_holds_no_file() -> None:
    async def work(watch: Watch) -> None:
        with pipe() as (one, _):
            before = len(list(Path("/proc/self/fd").iterdir()))
            watch.add(one, lambda: None)
            assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
            watch.close()
            assert len(list(Path("/proc/self/fd").iterdir())) == before

    run_with(work)
