"""Children: their exit, their output, and that none outlives its case."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from run_scenarios.core.errors import SetupError
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.process import Child, ChildProcesses
from run_scenarios.qemu.trace import Trace

from tests.support import command
from tests.support.scenarios import RunSteps

Work = Callable[[ChildProcesses], Awaitable[None]]


@pytest.fixture
def run_in(tmp_path: Path) -> Iterator[Callable[[Work], None]]:
    """Run a coroutine with the processes of a case that works in the test's directory."""
    guardian = Guardian.start()

    async def case(work: Work) -> None:
        with closing(Trace(tmp_path / "trace.jsonl")) as trace:
            processes = ChildProcesses(tmp_path, trace, guardian)
            try:
                await work(processes)
            finally:
                await processes.kill_all()

    yield lambda work: asyncio.run(case(work))
    guardian.stop()


def start(processes: ChildProcesses, script: str) -> Child:
    """Start a shell script as the child of a case."""
    return processes.start(["sh", "-c", script], vm="vm")


def test_a_tool_runs_in_the_case_directory_and_the_c_locale(run_in: Callable[[Work], None], tmp_path: Path) -> None:
    async def work(processes: ChildProcesses) -> None:
        done = await processes.run(["sh", "-c", "pwd; echo $LC_ALL >&2; exit 3"])
        assert (done.exitcode, done.stdout, done.stderr) == (3, f"{tmp_path}\n", "C\n")
        assert done.command == "sh -c 'pwd; echo $LC_ALL >&2; exit 3'"

    run_in(work)


def test_a_cancelled_tool_is_killed(run_in: Callable[[Work], None], tmp_path: Path) -> None:
    async def work(processes: ChildProcesses) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await processes.run(["sleep", "1000"])
        assert command.processes_in(tmp_path) == []

    run_in(work)


def test_a_program_that_cannot_be_started_is_a_setup_error(run_in: Callable[[Work], None]) -> None:
    async def work(processes: ChildProcesses) -> None:
        with pytest.raises(SetupError, match="cannot start /no/such: No such file or directory"):
            await processes.run(["/no/such"])

    run_in(work)


def test_an_error_names_a_missing_directory(run_in: Callable[[Work], None], tmp_path: Path) -> None:
    async def work(processes: ChildProcesses) -> None:
        tmp_path.rename(tmp_path.with_name("elsewhere"))
        try:
            with pytest.raises(SetupError, match=f"cannot start true: No such file or directory: .*{tmp_path.name}"):
                await processes.run(["true"])
        finally:
            tmp_path.with_name("elsewhere").rename(tmp_path)

    run_in(work)


def test_terminate_sends_sigterm(run_in: Callable[[Work], None]) -> None:
    async def work(processes: ChildProcesses) -> None:
        child = start(processes, "exec sleep 1000")
        assert child.is_running
        assert not child.has_exited
        assert await child.terminate() == -signal.SIGTERM
        assert child.has_exited
        assert await child.terminate() == -signal.SIGTERM

    run_in(work)


def test_a_child_that_ignores_sigterm_runs_until_it_is_killed(run_in: Callable[[Work], None], tmp_path: Path) -> None:
    async def work(processes: ChildProcesses) -> None:
        child = start(processes, "trap '' TERM; touch ready; exec sleep 1000")
        await asyncio.to_thread(command.eventually, (tmp_path / "ready").exists, "the trap to be set")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(processes.terminate_all(), 0.1)
        assert processes.running == ["vm"]
        await processes.kill_all()
        assert child.exitcode == -signal.SIGKILL
        assert processes.running == []

    run_in(work)


def test_an_exit_is_known_before_the_child_is_reaped(run_in: Callable[[Work], None]) -> None:
    async def work(processes: ChildProcesses) -> None:
        child = start(processes, "exec sleep 1000")
        os.kill(child.pid, signal.SIGKILL)
        command.eventually(lambda: child.has_exited, "its exit")
        assert child.is_running

    run_in(work)


def test_a_daemon_is_killed_with_its_case(run_in: Callable[[Work], None], tmp_path: Path) -> None:
    async def work(processes: ChildProcesses) -> None:
        lives = f"echo $$ >{tmp_path}/part; mv {tmp_path}/part {tmp_path}/pid; exec sleep 1000"
        # The daemon needs a session of its own before its parent exits, or it is killed with it.
        script = f"cd /; setsid -f sh -c '{lives}'; until [ -e {tmp_path}/pid ]; do sleep 0.01; done"
        assert await start(processes, script).wait() == 0
        daemon = int((tmp_path / "pid").read_text())
        assert command.is_running(daemon)
        await processes.kill_all()
        await asyncio.to_thread(command.eventually, lambda: not command.is_running(daemon), "its exit")

    run_in(work)


def test_a_grandchild_is_killed_when_the_child_exits(run_in: Callable[[Work], None], tmp_path: Path) -> None:
    async def work(processes: ChildProcesses) -> None:
        child = start(processes, "sleep 1000 & exit 7")
        assert await child.wait() == 7
        await asyncio.to_thread(command.eventually, lambda: not command.processes_in(tmp_path), "its end")

    run_in(work)


def test_the_trace_has_the_exit_of_every_child(run_in: Callable[[Work], None], tmp_path: Path) -> None:
    async def work(processes: ChildProcesses) -> None:
        start(processes, "exec sleep 1000")
        await processes.run(["true"])

    run_in(work)
    records = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert [(each["vm"], each["kind"], each["data"]) for each in records] == [
        ("vm", "exec", ["sh", "-c", "exec sleep 1000"]),
        (None, "exec", ["true"]),
        (None, "exit", 0),
        ("vm", "exit", -signal.SIGKILL),
    ]


@pytest.mark.parametrize(
    "steps",
    [
        '- create-image: {file: "a\\0b.raw", size: 1M}',
        '- launch: {arguments: [-name, "a\\0b"]}',
        '- set: {name: "a\\0b"}\n- create-image: {file: "{{ name }}.raw", size: 1M}',
    ],
)
def test_an_argument_with_a_nul_character_fails_the_step(steps: str, run_steps: RunSteps) -> None:
    run = run_steps(steps)
    assert run.status in (1, 2)
    assert "internal error" not in run.stdout
    assert "NUL character" in run.message or "control character" in run.message
