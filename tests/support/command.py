"""Run the command in another process, as users do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.scenarios import Run

DEADLINE_S = 20.0
ROOT = Path(__file__).parents[2]
PYTHON_PATH = os.pathsep.join((str(ROOT / "runner"), str(ROOT)))
PROGRAM = (sys.executable, "-W", "error", "-m", "run_scenarios")

PASSES = 'scenario: passes\nsteps:\n  - launch\n  - qmp: query-status\n  - assert: "{{ 1 == 1 }}"\n'
FAILS = 'scenario: fails\nsteps:\n  - assert: "{{ 1 == 2 }}"\n'
WAITS = "scenario: waits\nsteps:\n  - launch\n  - wait-event: {name: STOP}\n"
# Only a QEMU for Windows has the command.
SKIPS = "scenario: skips\nrequires: {commands: [get-win32-socket]}\nsteps:\n  - launch\n"
WRONG = "scenario: wrong\nstpes: []\n"
CRASHES = """\
scenario: crashes
steps:
  - create-image: {file: d.qcow2, size: 1M}
  - launch: {drives: [{id: drive0, file: d.qcow2, format: qcow2}]}
  - hmp: qemu-io drive0 "sigraise 11"
"""


_started: list[subprocess.Popen[str]] = []


class Command:
    """A run of the command in its own process."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen

    def read_until(self, text: str) -> str:
        """Read its standard output up to a line that begins with this text."""
        assert self.popen.stdout
        lines = []
        for line in self.popen.stdout:
            lines.append(line)
            if line.startswith(text):
                return "".join(lines)
        raise AssertionError(f"no line begins with {text!r} in {lines}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.popen.send_signal(number)

    def finish(self, deadline_s: float = DEADLINE_S) -> Run:
        """Wait for its end."""
        stdout, stderr = self.popen.communicate(timeout=deadline_s)
        return Run(self.popen.returncode, stdout, stderr)


def start(*arguments: str | Path, env: Mapping[str, str] | None = None, program: Sequence[str] = PROGRAM) -> Command:
    """Start the command, or another program, in the current directory; `env` is added to the environment.

    Python's warnings are errors in it.
    """
    popen = subprocess.Popen(
        [*program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    _started.append(popen)
    return Command(popen)


def end_all() -> None:
    """Kill the processes that a failed test has left running."""
    while _started:
        with _started.pop() as popen:
            popen.kill()


def run(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Run:
    """Run the command to its end."""
    return start(*arguments, env=env).finish()


def eventually(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until a condition outside this process holds."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {deadline_s:g} s for {what}"
        time.sleep(0.01)


def processes_in(directory: Path) -> list[int]:
    """Return the processes that work in a directory or below it."""
    return [pid for pid, place in _working_directories() if place.is_relative_to(directory)]


def is_running(pid: int) -> bool:
    """Return whether a process of any user is running."""
    return _command_line(pid) != b""


def qemus_in(directory: Path) -> list[int]:
    """Return the QEMUs that are running in a directory."""
    return [pid for pid in processes_in(directory) if b"qmp" in _command_line(pid)]


def _working_directories() -> Iterator[tuple[int, Path]]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield int(process.name), (process / "cwd").readlink()
        except OSError:
            continue


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
