"""`--step` and `--pause-on-failure` on a pseudo-terminal, with the real qmp-shell."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support import command
from tests.support.command import PASSES, PROGRAM, PYTHON_PATH
from tests.support.scenarios import RunSteps
from tests.support.terminal import Terminal

FAILS = """\
scenario: fails
timeout: 3s
steps:
  - launch
  - set: {wanted: paused}
  - name: the guest
    qmp: query-status
    expect: {status: "{{ wanted }}"}
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory with a scenario that fails and one that passes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fails.yaml").write_text(FAILS)
    (tmp_path / "passes.yaml").write_text(PASSES)
    return tmp_path


def begin(terminal: Terminal, *arguments: str) -> None:
    terminal.start([*PROGRAM, *arguments], {"PYTHONPATH": PYTHON_PATH})


def ask_shell(terminal: Terminal, typed: str) -> str:
    """Run the qmp-shell command that the terminal shows, with some input, and return its output."""
    line = re.search(r"^  (cd .* && )?(\S*qmp-shell \S+)$", terminal.text, re.MULTILINE)
    assert line, terminal.text
    return subprocess.run(
        ["bash", "-c", line[0]], input=typed, capture_output=True, text=True, check=True, timeout=20
    ).stdout


def test_a_failed_case_pauses_with_its_vm_running(place: Path) -> None:
    with Terminal(columns=200, lines=60) as terminal:
        begin(terminal, "--pause-on-failure", "fails.yaml", "passes.yaml", "-j", "4")
        terminal.read_for("fails is paused; Enter goes on")
        assert "fails.yaml:8:22: the result of 'qmp': status: expected" in terminal.text
        assert '"status": "running"' in ask_shell(terminal, "query-status\n")
        assert "ok" not in terminal.text
        terminal.press("\n")
        assert terminal.finish() == 1
        assert "ok 2 - passes" in terminal.text


def test_time_limits_are_suspended_during_pauses(place: Path) -> None:
    (place / "fails.yaml").write_text(FAILS.replace("3s", "1s"))
    with Terminal(columns=200, lines=60) as terminal:
        begin(terminal, "--step", "--artifacts", "kept", "fails.yaml")
        terminal.read_for("step 1 (launch)")
        subprocess.run(["sleep", "1.2"], check=True)
        for number in (2, 3):
            terminal.press("\n")
            terminal.read_for(f"step {number} ")
        terminal.press("\n")
        assert terminal.finish() == 1
        assert 'reason: "assertion"' in terminal.text
    records = [json.loads(line) for line in (place / "kept/fails/trace.jsonl").read_text().splitlines()]
    paused = [each["data"] for each in records if each["kind"] == "paused"]
    assert len(paused) == 3
    assert paused[0] > 1


def test_each_step_is_shown_before_it_runs(place: Path) -> None:
    with Terminal(columns=200, lines=60) as terminal:
        begin(terminal, "--step", "fails.yaml")
        terminal.read_for("Enter goes on, c goes on to the end, q ends the run")
        assert "fails.yaml:4:5: step 1 (launch)" in terminal.text
        assert "no VM runs" in terminal.text
        terminal.press("\n")
        terminal.read_for("step 2 (set)")
        terminal.read_for("vm.qmp")
        assert "    5 |   - set: {wanted: paused}" in terminal.text
        assert '"running": true' in ask_shell(terminal, "query-status\n")
        terminal.press("c\n")
        assert terminal.finish() == 1
        assert "step 3 (qmp): the guest\n" not in terminal.text.partition("not ok")[0]


@pytest.mark.parametrize("keys", ["q\n", "\x03"])
def test_the_run_can_be_stopped_at_a_prompt(keys: str) -> None:
    with Terminal(columns=200, lines=60) as terminal:
        begin(terminal, "--step", "fails.yaml", "passes.yaml")
        terminal.read_for("step 1 (launch)")
        terminal.press(keys)
        assert terminal.finish() == 130
        assert "Bail out! interrupted by SIGINT" in terminal.text


def test_the_directory_may_have_a_long_path(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = place / "test-dir" / ("d" * 100)
    monkeypatch.setenv("TEST_DIR", str(long))
    with Terminal(columns=400, lines=60) as terminal:
        begin(terminal, "--pause-on-failure", "fails.yaml")
        terminal.read_for("is paused")
        assert "  cd " in terminal.text
        assert '"status": "running"' in ask_shell(terminal, "query-status\n")
        terminal.press("\n")
        assert terminal.finish() == 1
    subprocess.run(["rm", "-r", long], check=True)


@pytest.mark.parametrize("option", ["--step", "--pause-on-failure"])
def test_it_needs_a_terminal(option: str, run_command: RunSteps) -> None:
    run = command.run(option, "fails.yaml")
    assert run.status == 2
    assert f"{option} needs a terminal as standard input" in run.stderr
    run = command.run(option, "--cluster", "tcp://nowhere:8786", "fails.yaml")
    assert run.status == 2
    assert f"{option} cannot be used with --cluster" in run.stderr


def test_a_paused_case_can_be_replayed(place: Path) -> None:
    with Terminal(columns=200, lines=60) as terminal:
        begin(terminal, "--pause-on-failure", "--artifacts", "kept", "fails.yaml")
        terminal.read_for("is paused")
        terminal.press("\n")
        terminal.finish()
    script = (place / "kept/fails/reproduce.sh").read_text()
    assert (
        f'start vm "$QEMU_PROG" {shlex.join(["-machine", "none", "-nodefaults", "-display", "none"])} -qmp stdio'
        in script
    )
    assert subprocess.run(["bash", place / "kept/fails/reproduce.sh"], capture_output=True).returncode == 1
