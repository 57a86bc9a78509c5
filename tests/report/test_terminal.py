"""The command on a pseudo-terminal: progress, colours and the summary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.taplint import lint
from tests.support import command
from tests.support.command import FAILS, PASSES, PROGRAM, PYTHON_PATH, SKIPS, WAITS
from tests.support.scenarios import RunSteps
from tests.support.terminal import Terminal

pytestmark = pytest.mark.slow

ENV = {"PYTHONPATH": PYTHON_PATH}
SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BOUNDED = WAITS.replace("steps:", "timeout: 1s\nsteps:")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory with a scenario of each kind."""
    monkeypatch.chdir(tmp_path)
    for variable in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(variable, raising=False)
    for name, text in {"passes": PASSES, "fails": FAILS, "skips": SKIPS, "waits": BOUNDED}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


@pytest.fixture
def report(place: Path) -> Iterator[int]:
    """A file for standard output."""
    with (place / "report.tap").open("wb") as file:
        yield file.fileno()


def begin(terminal: Terminal, *arguments: str, stdout: int | None = None, env: dict[str, str] | None = None) -> None:
    terminal.start([*PROGRAM, *arguments], {**ENV, **(env or {})}, stdout=stdout)


def test_progress_shows_running_cases_and_their_steps(place: Path, report: int) -> None:
    with Terminal() as terminal:
        begin(terminal, "waits.yaml", "passes.yaml", stdout=report)
        terminal.read_until(lambda: re.search(r"waits  step 2 wait-event  \d s", terminal.shown), "the step is shown")
        assert re.search(r"^[01] of 2 done, [12] left", terminal.shown, re.M)
        assert terminal.finish() == 1
        assert "left" not in terminal.text
        assert "step 2 wait-event" not in terminal.text
        assert "the case timed out after 1 s" in terminal.text
        assert re.search(r"^2 cases: 1 passed, 1 failed \(QEMU [0-9.]+, [0-9.]+ s\)$", terminal.text, re.M)
    assert lint((place / "report.tap").read_text()) == []


def test_a_failure_scrolls_above_the_progress(place: Path, report: int) -> None:
    (place / "waits.yaml").write_text(BOUNDED.replace("1s", "5s"))
    with Terminal() as terminal:
        begin(terminal, "waits.yaml", "fails.yaml", stdout=report)
        # What is drawn at once may arrive in two pieces.
        progress = r"^1 of 2 done, 1 failed, 1 left.*\n  waits "
        terminal.read_until(lambda: re.search(progress, terminal.shown, re.M), "the failure counts")
        lines = terminal.shown.split("\n")
        (status,) = [number for number, line in enumerate(lines) if "1 of 2 done" in line]
        assert any("rerun: run-scenarios fails.yaml" in line for line in lines[:status])
        assert len(lines) == status + 2
        terminal.finish()
        assert terminal.text.count("rerun: run-scenarios fails.yaml") == 1


def test_the_status_is_redrawn_after_a_resize(place: Path, report: int) -> None:
    long = "a-scenario-with-quite-a-long-name-that-does-not-fit"
    (place / f"{long}.yaml").write_text(BOUNDED.replace("1s", "5s"))
    with Terminal() as terminal:
        begin(terminal, f"{long}.yaml", stdout=report)
        terminal.read_until(lambda: "wait-event" in terminal.shown, "the step is shown")
        terminal.resize(30, 10)
        terminal.read_until(lambda: "…" in terminal.shown, "the line is cut")
        assert re.search(r"^0 of 1 done, 1 left$", terminal.shown, re.M)
        assert re.search(r"^  a-scenario-with-quite-a-lo…$", terminal.shown, re.M)
        assert terminal.finish() == 1


def test_an_interrupted_run_leaves_no_progress(place: Path, report: int) -> None:
    (place / "waits.yaml").write_text(WAITS)
    with Terminal() as terminal:
        begin(terminal, "waits.yaml", "passes.yaml", "-j", "1", stdout=report)
        terminal.read_until(lambda: "wait-event" in terminal.shown, "the case waits")
        terminal.press("\x03")
        assert terminal.finish() == 130
        assert " left" not in terminal.text
        assert "2 cases: 1 failed, 1 not run (QEMU" in terminal.text
        assert terminal.text.count("not run (QEMU") == 1
    assert "Bail out! interrupted by SIGINT" in (place / "report.tap").read_text()


def test_on_a_terminal_the_report_is_coloured_tap_and_a_summary_ends_it() -> None:
    with Terminal(columns=200, lines=100) as terminal:
        begin(terminal, "passes.yaml", "fails.yaml", "skips.yaml", "-j", "1")
        assert terminal.finish() == 1
        assert "\x1b[32mok 1 - passes\x1b[0m" in terminal.sent
        assert "\x1b[31mnot ok 2 - fails\x1b[0m" in terminal.sent
        assert "\x1b[33mok 3 - skips # SKIP" in terminal.sent
        assert "\x1b[K" not in terminal.sent
        title, failed, skipped, reason, last = terminal.text.split("\n")[-5:]
        assert (title, skipped) == ("failed:", "skipped:")
        assert failed.startswith("  fails: assertion: ")
        assert re.fullmatch(r"  QEMU [0-9.]+ has no QMP command 'get-win32-socket'", reason)
        assert re.fullmatch(r"3 cases: 1 passed, 1 skipped, 1 failed \(QEMU [0-9.]+, [0-9.]+ s\)", last)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}])
def test_colours_can_be_disabled(env: dict[str, str]) -> None:
    with Terminal(columns=200) as terminal:
        begin(terminal, "passes.yaml", "fails.yaml", env=env)
        assert terminal.finish() == 1
        assert not SEQUENCE.search(terminal.sent)
        assert "not ok 2 - fails" in terminal.sent


def test_progress_is_shown_without_colours(report: int) -> None:
    with Terminal() as terminal:
        begin(terminal, "waits.yaml", stdout=report, env={"NO_COLOR": "1"})
        terminal.read_until(lambda: "0 of 1 done, 1 left" in terminal.shown, "there is progress")
        terminal.finish()
        assert not re.search(r"\x1b\[[0-9;]*m", terminal.sent)


def test_a_dumb_terminal_has_no_status(report: int) -> None:
    with Terminal() as terminal:
        begin(terminal, "waits.yaml", stdout=report, env={"TERM": "dumb"})
        terminal.finish()
        assert "left" not in terminal.sent
        assert not SEQUENCE.search(terminal.sent)


def test_no_progress_on_the_terminal_of_the_report() -> None:
    with Terminal() as terminal:
        begin(terminal, "waits.yaml")
        terminal.finish()
        assert " left" not in terminal.sent


def test_progress_is_shown_if_the_report_is_in_a_file(place: Path) -> None:
    with Terminal() as terminal:
        begin(terminal, "waits.yaml", "--tap", "out.tap")
        terminal.read_until(lambda: "0 of 1 done, 1 left" in terminal.shown, "there is progress")
        terminal.finish()
    assert lint((place / "out.tap").read_text()) == []


@pytest.mark.parametrize("env", [{}, {"FORCE_COLOR": "1"}])
def test_standard_output_has_only_tap(env: dict[str, str]) -> None:
    run = command.run("passes.yaml", "fails.yaml", "skips.yaml", env=env)
    assert lint(run.stdout) == []
    assert not SEQUENCE.search(run.stdout)
    assert bool(SEQUENCE.search(run.stderr)) is bool(env)


def test_a_passed_run_is_silent_without_a_terminal(run_command: RunSteps) -> None:
    assert run_command("passes.yaml").stderr == ""


def test_the_rounds_of_a_case_are_counted(run_command: RunSteps) -> None:
    assert "2 cases: 2 passed (QEMU " in run_command("--repeat", "2", "passes.yaml").stderr
    run = run_command("--repeat", "3", "fails.yaml", "passes.yaml")
    assert "rounds that failed:\n  fails: 3 of 3\n6 cases: 3 passed, 3 failed (QEMU " in run.stderr
    assert re.search(r"failed:\n  fails \(round \d of 3\): assertion: ", run.stderr)


def test_the_time_left_comes_from_earlier_runs(place: Path, report: int) -> None:
    (place / "waits.yaml").write_text(BOUNDED.replace("timeout: 1s", "timeout: 3s\nexpected-failure: so"))
    command.run("waits.yaml")
    with Terminal() as terminal:
        begin(terminal, "waits.yaml", stdout=report)
        terminal.read_until(lambda: re.search(r"1 left, about [123] s$", terminal.shown, re.M), "the time left")
        assert terminal.finish() == 0


def test_a_closed_terminal_ends_the_run_cleanly(place: Path, test_dir: Path, report: int) -> None:
    (place / "waits.yaml").write_text(WAITS)
    with Terminal() as terminal:
        begin(terminal, "waits.yaml", stdout=report)
        terminal.read_until(lambda: "wait-event" in terminal.shown, "the case waits")
        terminal.hang_up()
        assert terminal.wait() == 129
    assert list(test_dir.iterdir()) == []
    assert "Bail out! interrupted by SIGHUP" in (place / "report.tap").read_text()
