"""The guardian cleans up after a runner that was killed, and only then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from run_scenarios.qemu.guardian import Guardian, kill_processes_of

from tests.support import command

RUNNER = """
import os, signal, subprocess, sys
from pathlib import Path
from run_scenarios.qemu.guardian import Guardian
guardian = Guardian.start()

def wait_until_it_is_ready():
    files = [Path(f"/proc/{guardian._pid}/fd/{number}") for number in (0, 1, 2)]
    while not all(os.path.lexists(file) and os.readlink(file) == "/dev/null" for file in files):
        pass

"""
DIE = "\nos.kill(os.getpid(), signal.SIGKILL)\n"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own."""
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as popen:
        yield popen
        popen.kill()


def run_and_die(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that starts a guardian and kills itself."""
    environment = {**os.environ, "PYTHONPATH": command.PYTHON_PATH}
    return subprocess.run(
        [sys.executable, "-c", RUNNER + text + DIE, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=command.DEADLINE_S,
    )


def test_a_killed_runner_leaves_no_process_and_no_directory(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    directory = tmp_path / "with a\nnewline"
    (directory / "sub").mkdir(parents=True)
    done = run_and_die(
        "guardian.watch_process(int(sys.argv[1])); guardian.watch_directory(Path(sys.argv[2]))",
        str(sleeper.pid),
        str(directory),
    )
    assert done.returncode == -signal.SIGKILL
    assert sleeper.wait(command.DEADLINE_S) == -signal.SIGKILL
    command.eventually(lambda: not directory.exists(), "the directory to be removed")


def test_forgotten_processes_and_directories_stay(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    kept.mkdir()
    gone.mkdir()
    run_and_die(
        "for each in sys.argv[2:]: guardian.watch_directory(Path(each))\n"
        "guardian.watch_process(int(sys.argv[1])); guardian.forget_process(int(sys.argv[1]))\n"
        "guardian.forget_directory(Path(sys.argv[2]))",
        str(sleeper.pid),
        str(kept),
        str(gone),
    )
    command.eventually(lambda: not gone.exists(), "the directory to be removed")
    assert kept.exists()
    assert sleeper.poll() is None


def test_an_unknown_process_in_a_watched_directory_is_killed(tmp_path: Path) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    run_and_die(
        "guardian.watch_directory(Path(sys.argv[1]))\n"
        "null = subprocess.DEVNULL\n"
        "subprocess.Popen(['sleep', '1000'], cwd=sys.argv[1], start_new_session=True, stdout=null, stderr=null)",
        str(directory),
    )
    command.eventually(lambda: not directory.exists(), "the directory to be removed")
    command.eventually(lambda: not command.processes_in(tmp_path), "the process to be killed")


def test_a_daemon_started_for_a_watched_directory_is_killed(tmp_path: Path) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    done = run_and_die(
        "guardian.watch_directory(Path(sys.argv[1]))\n"
        "os.environ['RUN_SCENARIOS_CASE'] = sys.argv[1] + '/0/work'\n"
        "null = subprocess.DEVNULL\n"
        "popen = subprocess.Popen(['sleep', '1000'], cwd='/', start_new_session=True, stdout=null, stderr=null)\n"
        "print(popen.pid, flush=True)",
        str(directory),
    )
    command.eventually(lambda: not directory.exists(), "the directory to be removed")
    command.eventually(lambda: not command.is_running(int(done.stdout)), "the daemon to be killed")


def test_a_child_that_changed_its_directory_and_its_environment_is_killed(tmp_path: Path) -> None:
    """As a wrapper script around QEMU may do; the runner has reported its process ID."""
    done = run_and_die(
        "import asyncio\n"
        "from run_scenarios.qemu.process import ChildProcesses\n"
        "from run_scenarios.qemu.trace import Trace\n"
        "case = Path(sys.argv[1])\n"
        "guardian.watch_directory(case)\n"
        "async def start():\n"
        "    processes = ChildProcesses(case, Trace(case / 'trace'), guardian)\n"
        "    child = processes.start(['sh', '-c', 'cd /; exec env -i sleep 1000'], vm='vm')\n"
        "    proc = Path(f'/proc/{child.pid}')\n"
        "    while (proc / 'environ').read_bytes() or os.readlink(proc / 'cwd') != '/': pass\n"
        "    print(child.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(start())",
        str(tmp_path),
    )
    command.eventually(lambda: not command.is_running(int(done.stdout)), "the child to be killed")


def test_killing_waits_for_the_end_of_each_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "1000"], cwd=tmp_path, start_new_session=True) as sleeper:
        looks = Mock(return_value=[sleeper.pid])
        monkeypatch.setattr("run_scenarios.qemu.guardian._list_processes", looks)
        kill_processes_of(tmp_path)
        assert os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        assert looks.call_count == 2, "one that finds it, and one that finds nothing more"


def test_the_wait_for_a_killed_process_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("run_scenarios.qemu.guardian.signal.pidfd_send_signal", lambda *_: None)
    monkeypatch.setattr("run_scenarios.qemu.guardian.MAX_WAIT_MS", 1)
    with subprocess.Popen(["sleep", "1000"], cwd=tmp_path, start_new_session=True) as sleeper:
        kill_processes_of(tmp_path, first_pid=sleeper.pid)
        assert sleeper.poll() is None
        sleeper.kill()


def test_the_guardian_does_not_hold_the_output_of_the_runner(tmp_path: Path) -> None:
    """A reader of the report must see its end, even if the guardian outlives the runner."""
    done = run_and_die(
        "print(guardian._pid, flush=True)\nwait_until_it_is_ready()\nos.kill(guardian._pid, signal.SIGSTOP)"
    )
    pid = int(done.stdout)
    assert Path(f"/proc/{pid}").exists()
    os.kill(pid, signal.SIGKILL)


def test_stop_cleans_up_and_leaves_no_process(tmp_path: Path) -> None:
    guardian = Guardian.start()
    pid, directory = guardian._pid, tmp_path / "d"
    directory.mkdir()
    guardian.watch_directory(directory)
    guardian.stop()
    assert not directory.exists()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_process_group_does_not_end_the_guardian(tmp_path: Path, number: signal.Signals) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    run_and_die(
        f"guardian.watch_directory(Path(sys.argv[1]))\nwait_until_it_is_ready()\nos.kill(guardian._pid, {int(number)})",
        str(directory),
    )
    command.eventually(lambda: not directory.exists(), "the directory to be removed")


def test_a_killed_guardian_does_not_break_the_run() -> None:
    guardian = Guardian.start()
    os.kill(guardian._pid, signal.SIGKILL)
    os.waitid(os.P_PID, guardian._pid, os.WEXITED | os.WNOWAIT)
    guardian.watch_process(1)
    guardian.stop()
