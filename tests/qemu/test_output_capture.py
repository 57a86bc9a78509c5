"""What a child prints is read as it comes, and of very much only the beginning and the end is kept."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from run_scenarios.qemu import output_capture as output
from run_scenarios.qemu.fd_watcher import Watch
from run_scenarios.qemu.output_capture import LOG_LIMIT, TAIL_BYTES, OutputCapture

from tests.support import command

Work = Callable[[OutputCapture], Awaitable[None]]


def run_with(work: Work, log: Path | None = None) -> None:
    """Run a coroutine with an output, whose writer is closed before its end."""

    async def inner() -> None:
        watch = Watch()
        stream = OutputCapture(watch, log)
        try:
            await work(stream)
        finally:
            stream.close()
            watch.close()

    asyncio.run(inner())


def write(stream: OutputCapture, text: bytes) -> None:
    """Write as a child would that never waits for anything."""
    os.write(stream.writer, text)


def test_what_has_come_is_taken_once(tmp_path: Path) -> None:
    async def work(stream: OutputCapture) -> None:
        write(stream, b"one\n")
        assert stream.take() == "one\n"
        assert stream.take() == ""
        write(stream, b"two \xff\n")
        assert stream.tail() == "one\ntwo \ufffd"
        os.close(stream.writer)
        assert stream.take() == "two \ufffd\n"
        assert stream.tail() == "one\ntwo \ufffd"

    run_with(work, tmp_path / "log")
    assert (tmp_path / "log").read_bytes() == b"one\ntwo \xff\n"


def test_a_log_is_added_to_as_it_comes(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"earlier\n")

    async def work(stream: OutputCapture) -> None:
        write(stream, b"now\n")
        await asyncio.sleep(0.01)
        assert (tmp_path / "log").read_bytes() == b"earlier\nnow\n"
        os.close(stream.writer)

    run_with(work, tmp_path / "log")


def test_of_a_flood_the_beginning_and_the_end_are_kept(tmp_path: Path) -> None:
    async def work(stream: OutputCapture) -> None:
        script = f"echo begin; head -c {20 << 20} /dev/zero | tr '\\0' y; echo; echo end"
        with subprocess.Popen(["sh", "-c", script], stdout=stream.writer) as flood:
            os.close(stream.writer)
            await asyncio.to_thread(flood.wait)
        text = stream.take()
        assert text.startswith("begin\nyyy") and text.endswith("yyy\nend\n")
        assert len(text) <= output.UNREAD_LIMIT + TAIL_BYTES + 100
        left_out = (20 << 20) + len("begin\n\nend\n") - output.UNREAD_LIMIT - TAIL_BYTES
        assert f"\n({left_out} bytes left out)\n" in text
        assert stream.tail().endswith("yyy\nend")
        assert len(stream.tail()) <= TAIL_BYTES

    run_with(work, tmp_path / "log")
    log = (tmp_path / "log").read_text()
    assert log.startswith("begin\nyyy") and log.endswith("yyy\nend\n")
    assert "bytes left out" in log
    assert len(log) <= LOG_LIMIT + TAIL_BYTES + 100


def test_a_child_that_never_stops_does_not_keep_us() -> None:
    async def work(stream: OutputCapture) -> None:
        with subprocess.Popen(["yes"], stdout=stream.writer) as flood:
            os.close(stream.writer)
            for _ in range(3):
                command.eventually(stream.take, "something to come")
            flood.kill()

    run_with(work)


def test_a_log_that_does_not_fit_ends_there() -> None:
    async def work(stream: OutputCapture) -> None:
        write(stream, b"more\n")
        os.close(stream.writer)
        assert stream.take() == "more\n"

    run_with(work, Path("/dev/full"))


def test_a_log_that_cannot_be_opened_leaves_no_pipe(tmp_path: Path) -> None:
    async def work() -> None:
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(FileNotFoundError):
            OutputCapture(Watch(), tmp_path / "no" / "log")
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    asyncio.run(work())
