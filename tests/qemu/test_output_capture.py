"""The output of a child is read as it is written; of a long one, the beginning and the end are kept."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from run_scenarios.qemu.output_capture import LOG_LIMIT, TAIL_BYTES, UNREAD_LIMIT, OutputCapture

from tests.support import command

Work = Callable[[OutputCapture], Awaitable[None]]


def run_with(work: Work, log: Path | None = None) -> None:
    """Run a coroutine with a captured stream, whose writer it must close."""

    async def inner() -> None:
        stream = OutputCapture(log)
        try:
            await work(stream)
        finally:
            stream.close()

    asyncio.run(inner())


def write(stream: OutputCapture, text: bytes) -> None:
    """Write to a stream as a child does."""
    os.write(stream.writer, text)


def test_output_is_taken_once(tmp_path: Path) -> None:
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


def test_output_is_appended_to_the_log_at_once(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"earlier\n")

    async def work(stream: OutputCapture) -> None:
        write(stream, b"now\n")
        await asyncio.sleep(0.01)
        assert (tmp_path / "log").read_bytes() == b"earlier\nnow\n"
        os.close(stream.writer)

    run_with(work, tmp_path / "log")


def test_a_long_output_keeps_its_beginning_and_end(tmp_path: Path) -> None:
    async def work(stream: OutputCapture) -> None:
        script = f"echo begin; head -c {20 << 20} /dev/zero | tr '\\0' y; echo; echo end"
        with subprocess.Popen(["sh", "-c", script], stdout=stream.writer) as flood:
            os.close(stream.writer)
            await asyncio.to_thread(flood.wait)
        text = stream.take()
        assert text.startswith("begin\nyyy") and text.endswith("yyy\nend\n")
        assert len(text) <= UNREAD_LIMIT + TAIL_BYTES + 100
        omitted = (20 << 20) + len("begin\n\nend\n") - UNREAD_LIMIT - TAIL_BYTES
        assert f"\n({omitted} bytes omitted)\n" in text
        assert stream.tail().endswith("yyy\nend")
        assert len(stream.tail()) <= TAIL_BYTES

    run_with(work, tmp_path / "log")
    log = (tmp_path / "log").read_text()
    assert log.startswith("begin\nyyy") and log.endswith("yyy\nend\n")
    assert "bytes omitted" in log
    assert len(log) <= LOG_LIMIT + TAIL_BYTES + 100


def test_taking_output_of_a_child_that_never_stops_returns() -> None:
    async def work(stream: OutputCapture) -> None:
        with subprocess.Popen(["yes"], stdout=stream.writer) as flood:
            os.close(stream.writer)
            for _ in range(3):
                command.eventually(stream.take, "output")
            flood.kill()

    run_with(work)


def test_a_full_disk_only_cuts_off_the_log() -> None:
    async def work(stream: OutputCapture) -> None:
        write(stream, b"more\n")
        os.close(stream.writer)
        assert stream.take() == "more\n"

    run_with(work, Path("/dev/full"))


def test_a_log_that_cannot_be_opened_leaks_no_file_descriptor(tmp_path: Path) -> None:
    async def work() -> None:
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(FileNotFoundError):
            OutputCapture(tmp_path / "no" / "log")
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    asyncio.run(work())
