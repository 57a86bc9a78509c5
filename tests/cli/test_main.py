"""The command: options, exit statuses, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_scenarios.cli import main as cli
from run_scenarios.core.errors import SetupError

from tests.report.taplint import lint
from tests.support import command
from tests.support.command import CRASHES, FAILS, PASSES, SKIPS, WAITS, WRONG
from tests.support.scenarios import Run, RunSteps, trace_of

MATRIX = 'scenario: m\nmatrix: {n: [1, 2, 3]}\nsteps:\n  - launch\n  - assert: "{{ n > 0 }}"\n'


@pytest.fixture(autouse=True)
def place(tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in the test's own directory, which has a scenario of each kind."""
    monkeypatch.chdir(tmp_path)
    every = {"passes": PASSES, "fails": FAILS, "waits": WAITS, "skips": SKIPS, "wrong": WRONG, "matrix": MATRIX}
    for name, text in every.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    yield tmp_path
    command.end_all()


# Arguments and exit statuses.


@pytest.mark.parametrize(
    ("files", "status"),
    [
        (["passes.yaml"], 0),
        (["skips.yaml"], 0),
        (["passes.yaml", "fails.yaml"], 1),
        (["fails.yaml", "wrong.yaml"], 2),
        (["no-such-file.yaml", "passes.yaml"], 2),
        (["matrix.yaml::n=4"], 2),
    ],
)
def test_exit_status_is_that_of_the_worst_result(run_command: RunSteps, files: list[str], status: int) -> None:
    run = run_command(*files)
    assert run.status == status
    assert lint(run.stdout) == []


def test_an_infrastructure_failure_outranks_an_invalid_file(
    run_command: RunSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise SetupError("no space")

    monkeypatch.setattr("run_scenarios.qemu.workspace.Workspace.create", full)
    run = run_command("wrong.yaml", "passes.yaml")
    assert run.status == 3
    assert [each.block["reason"] for each in run.points] == ["invalid-scenario", "infrastructure"]
    assert run.points[1].block["message"] == "no space"


@pytest.mark.parametrize(
    "arguments",
    [[], ["--no-such-option"], ["-j", "0", "x"], ["-j", "many", "x"], ["a\0b"], ["--cluster", "scheduler", "x"]],
)
def test_wrong_usage_exits_with_2_and_prints_no_report(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    printed = capsys.readouterr()
    assert ended.value.code == 2
    usage, _, error = printed.err.partition("\n")
    assert (printed.out, usage) == ("", "usage: run-scenarios [options] PATH ...")
    assert error.startswith("run-scenarios: error: ")


@pytest.mark.parametrize(("columns", "widest"), [("60", 58), ("0", 78), ("many", 78)])
def test_help_is_as_wide_as_the_terminal(columns: str, widest: int) -> None:
    environment = {**_environment(), "COLUMNS": columns}
    done = subprocess.run([*command.PROGRAM, "--help"], env=environment, capture_output=True, text=True, check=True)
    assert widest - 8 < max(map(len, done.stdout.splitlines())) <= widest
    parser = "from run_scenarios.cli.parser import make_parser"
    loaded = f"import sys; {parser}; make_parser().format_help(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], env=environment, capture_output=True, text=True, check=True)
    assert not {"shutil", "run_scenarios.collection.keyword_expression"} & {*done.stdout.split()}, (
        "it takes longer than all the rest"
    )


def test_valid_files_run_despite_invalid_ones(run_command: RunSteps) -> None:
    run = run_command("no-such-file.yaml", "wrong.yaml", "passes.yaml")
    assert run.status == 2
    assert [(each.ok, each.name) for each in run.points] == [
        (False, "no-such-file.yaml (invalid scenario file)"),
        (False, "wrong.yaml (invalid scenario file)"),
        (True, "passes"),
    ]
    assert "no-such-file.yaml:1:1: error: no such file or directory" in run.stderr
    assert "wrong.yaml:2:1: error:" in run.stderr


@pytest.fixture
def library(place: Path) -> str:
    """Return the name of a directory that has a file of procedures but no scenario."""
    (place / "library").mkdir()
    (place / "library/procedures.yaml").write_text("procedures:\n  p:\n    steps: [launch]\n")
    return "library"


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("arguments", [["empty"], ["--list", "empty"], ["library"], ["--check", "library"]])
def test_nothing_to_run_exits_with_5_unless_allowed(run_command: RunSteps, place: Path, arguments: list[str]) -> None:
    (place / "empty").mkdir()
    assert run_command(*arguments).status == 5
    assert run_command("--allow-empty", *arguments).status == 0


def test_nothing_to_check_is_reported(run_command: RunSteps, library: str) -> None:
    run = run_command("--check", library)
    assert run.stderr.splitlines()[-1] == "run-scenarios: nothing to check: no scenarios in library"


def test_procedures_can_be_named_together_with_scenarios(run_command: RunSteps, library: str) -> None:
    file = f"{library}/procedures.yaml"
    run = run_command("passes.yaml", file)
    assert (run.status, run.only.name) == (0, "passes")
    assert run_command("--check", "passes.yaml", file) == run_command("--check", "passes.yaml")
    assert run_command("--list", "passes.yaml", file).stdout == "passes\n"


@pytest.mark.parametrize("arguments", [["{}"], ["{}::n=1", "passes.yaml"]])
def test_procedures_alone_cannot_run(run_command: RunSteps, library: str, arguments: list[str]) -> None:
    run = run_command(*(each.format(f"{library}/procedures.yaml") for each in arguments))
    assert run.status == 2
    assert "this file has procedures but no scenario" in run.stderr


def test_nothing_to_run_is_a_failed_test_point(run_command: RunSteps, place: Path) -> None:
    (place / "empty").mkdir()
    run = run_command("empty")
    assert (run.only.ok, run.only.name) == (False, "scenario discovery")
    assert run.message == "no scenarios in empty"
    allowed = run_command("empty", "--allow-empty")
    assert allowed.stdout == "TAP version 13\n1..0 # SKIP no scenarios in empty\n"


def test_an_empty_directory_among_others_is_an_error(run_command: RunSteps, place: Path) -> None:
    (place / "empty").mkdir()
    assert run_command("empty", "passes.yaml").status == 2


def test_hidden_files_are_ignored(run_command: RunSteps, place: Path) -> None:
    (place / "d/.hidden").mkdir(parents=True)
    for name in ("d/a.yaml", "d/.b.yaml", "d/.hidden/c.yaml"):
        (place / name).write_text(PASSES)
    assert run_command("--list", "d").stdout == "d/a\n"


def test_list_prints_the_cases_without_running_them(run_command: RunSteps) -> None:
    run = run_command("--list", "passes.yaml", "matrix.yaml", "--qemu", "no-such-qemu")
    assert (run.status, run.stdout) == (0, "passes\nmatrix[n=1]\nmatrix[n=2]\nmatrix[n=3]\n")
    assert run_command("--list", "wrong.yaml", "passes.yaml").status == 2


def test_one_case_is_selected_by_its_label(run_command: RunSteps) -> None:
    run = run_command("matrix.yaml::n=2")
    assert (run.status, run.only.name) == (0, "matrix[n=2]")


def test_an_unknown_case_gets_a_list_of_cases(run_command: RunSteps) -> None:
    assert "there is no case 'n=22'" in run_command("matrix.yaml::n=22").stderr
    assert "did you mean 'n=2'?" in run_command("matrix.yaml::n=22").stderr
    assert "cases: n=1, n=2, n=3" in run_command("matrix.yaml::other").stderr


# Output files.


def test_artifacts_has_a_directory_per_case(run_command: RunSteps, place: Path) -> None:
    run = run_command("--artifacts", "kept", "passes.yaml", "matrix.yaml")
    assert run.status == 0
    names = ["matrix@n=1", "matrix@n=2", "matrix@n=3", "passes"]
    assert sorted(each.name for each in (place / "kept").iterdir()) == names
    assert [Path(each.block["artifacts"]).name for each in run.points] == ["passes", *names[:3]]
    assert sorted(each.name for each in (place / "kept/passes").iterdir()) == [
        ".run-scenarios",
        "reproduce.sh",
        "trace.jsonl",
        "vm.stderr",
        "vm.stdout",
    ]


def test_the_trace_has_every_process_and_message(run_command: RunSteps, place: Path) -> None:
    run_command("--artifacts", "kept", "passes.yaml")
    records = trace_of(place / "kept")
    assert all(set(each) == {"t", "vm", "kind", "data"} for each in records)
    assert [each["t"] for each in records] == sorted(each["t"] for each in records)
    assert [(each["kind"], each["vm"]) for each in records[:2]] == [("step", None), ("exec", "vm")]
    assert "query-status" in [each["data"].get("execute") for each in records if each["kind"] == "send"]
    assert any("return" in each["data"] for each in records if each["kind"] == "recv")
    # Its last event and its output are recorded before or after its exit.
    assert [each["data"] for each in records[-3:] if each["kind"] == "exit"] == [0]


def test_qemus_stderr_is_kept(run_command: RunSteps, place: Path) -> None:
    (place / "complains.yaml").write_text("scenario: c\nsteps:\n  - launch: {arguments: [-accel, no-such-one]}\n")
    run = run_command("--artifacts", "kept", "complains.yaml")
    assert run.status == 1
    assert "no-such-one" in (place / "kept/complains/vm.stderr").read_text()
    assert "no-such-one" in run.only.block["hint"]


def test_keep_keeps_the_images(run_command: RunSteps, place: Path) -> None:
    (place / "image.yaml").write_text("scenario: i\nsteps:\n  - create-image: {file: d.qcow2, size: 1M}\n")
    run = run_command("--keep", "--artifacts", "kept", "image.yaml")
    assert (run.status, (place / "kept/image/images/d.qcow2").exists()) == (0, True)
    run_command("--artifacts", "kept", "image.yaml")
    assert not (place / "kept/image/images").exists()


@pytest.mark.parametrize(("name", "kept"), [("fails", True), ("unexpected", True), ("passes", False), ("known", False)])
def test_a_failure_keeps_its_artifacts_and_reports_where(
    run_command: RunSteps, place: Path, test_dir: Path, name: str, kept: bool
) -> None:
    (place / "unexpected.yaml").write_text(PASSES + "expected-failure: bug 7\n")
    (place / "known.yaml").write_text(FAILS + "expected-failure: bug 7\n")
    run = run_command(f"{name}.yaml")
    assert ("artifacts" in run.only.block) == kept
    assert [str(each) for each in test_dir.glob("*/*")] == ([run.only.block["artifacts"]] if kept else [])


def test_tap_writes_the_report_to_a_file_once_it_is_complete(place: Path) -> None:
    file = place / "report.tap"
    file.write_text("TAP version 13\n1..0\n")
    running = command.start("--tap", file, "-j1", "passes.yaml", "waits.yaml")
    part = place / f"report.tap.{running.popen.pid}.part"
    command.eventually(lambda: part.exists() and "ok 1 - passes" in part.read_text(), "the first result")
    assert not file.exists()
    running.send(signal.SIGTERM)
    run = running.finish()
    assert (run.status, run.stdout) == (143, "")
    assert not part.exists()
    assert lint(file.read_text()) == []


def test_tap_can_be_written_to_a_fifo(place: Path) -> None:
    os.mkfifo(place / "pipe")
    running = command.start("--tap", "pipe", "passes.yaml")
    assert "ok 1 - passes" in (place / "pipe").read_text()
    assert running.finish().status == 0


def test_a_report_that_cannot_be_written_exits_with_3(run_command: RunSteps) -> None:
    run = run_command("--tap", "no-such-directory/report.tap", "passes.yaml")
    assert run.status == 3
    assert run.stdout.split("\n")[-2].startswith("Bail out! ")
    said = "cannot write no-such-directory/report.tap: No such file or directory"
    assert run.message == said
    assert run.stderr == f"run-scenarios: error: {said}\n"


def test_a_full_disk_exits_with_3(place: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*command.PROGRAM, "passes.yaml"], env=_environment(), stdout=full, stderr=-1, text=True)
    assert done.returncode == 3
    assert done.stderr == "run-scenarios: error: No space left on device: <stdout>\n"


def test_the_report_that_does_not_fit_on_the_disk_is_named(run_command: RunSteps) -> None:
    run = run_command("--json", "/dev/full", "passes.yaml")
    assert run.status == 3
    assert run.stderr.splitlines()[-1] == "run-scenarios: error: No space left on device: /dev/full"


def test_the_report_is_in_the_order_of_the_plan_under_j(place: Path) -> None:
    slow = "scenario: s\ntimeout: 500ms\nsteps:\n  - launch\n  - wait-event: {name: STOP}\n"
    (place / "a.yaml").write_text(slow)
    run = command.run("-j3", "a.yaml", "matrix.yaml", "passes.yaml", "--tap", "t")
    report = (place / "t").read_text()
    assert lint(report) == []
    assert [line for line in report.split("\n") if "ok " in line[:7]] == [
        "not ok 1 - a",
        "ok 2 - matrix[n=1]",
        "ok 3 - matrix[n=2]",
        "ok 4 - matrix[n=3]",
        "ok 5 - passes",
    ]
    assert run.status == 1


def test_standard_output_has_only_the_report(place: Path) -> None:
    run = command.run("fails.yaml", "wrong.yaml", "matrix.yaml")
    assert lint(run.stdout) == []
    assert "wrong.yaml:2:1: error:" in run.stderr
    assert "fails.yaml:3:" in run.stderr


# Programs and directories.


@pytest.mark.parametrize("tool", ["qemu", "qemu-img", "qemu-io", "qemu-nbd", "qemu-storage-daemon"])
def test_a_missing_program_exits_with_3(run_command: RunSteps, tool: str) -> None:
    run = run_command(f"--{tool}", "/no/such/program", "passes.yaml")
    assert run.status == 3
    assert (run.only.name, run.only.ok) == ("runner setup", False)
    reason = f"--{tool}: cannot run '/no/such/program'"
    assert run.stdout.endswith(f"\nBail out! {reason}\n")
    assert run.stderr.endswith(f"run-scenarios: error: {reason}\n")


def test_the_environment_names_programs_and_an_option_outranks_it(
    run_command: RunSteps, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (place / name).write_text(f'#!/bin/sh\necho {name} >&2\nexec qemu-system-x86_64 "$@"\n')
        (place / name).chmod(0o755)
    monkeypatch.setenv("QEMU_PROG", str(place / "one"))
    assert run_command("passes.yaml", "--artifacts", "a").status == 0
    assert run_command("passes.yaml", "--artifacts", "b", "--qemu", "./two").status == 0
    assert [(place / each / "passes/vm.stderr").read_text().split("\n")[0] for each in "ab"] == ["one", "two"]
    monkeypatch.setenv("QEMU_PROG", "no-such-qemu")
    assert "QEMU_PROG: cannot run 'no-such-qemu'" in run_command("passes.yaml").stdout


def test_cases_work_in_test_dir(place: Path, test_dir: Path) -> None:
    running = command.start("waits.yaml")
    command.eventually(lambda: command.qemus_in(test_dir), "QEMU to run in TEST_DIR")
    running.send(signal.SIGTERM)
    assert running.finish().status == 143


@pytest.mark.parametrize("option", ["TEST_DIR", "--artifacts"])
def test_a_directory_that_cannot_be_created_exits_with_3(
    run_command: RunSteps, place: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    file = place / "passes.yaml"
    arguments = [f"{option}={file}/x"] if option.startswith("--") else []
    if option == "TEST_DIR":
        monkeypatch.setenv("TEST_DIR", f"{file}/x")
    run = run_command("passes.yaml", *arguments)
    assert run.status == 3
    assert run.stdout.endswith(f"\nBail out! cannot create {file}/x: Not a directory\n")


# Timeouts.


def test_a_step_that_takes_too_long_says_what_it_waited_for(run_steps: RunSteps) -> None:
    run = run_steps("- launch\n- wait-event: {name: STOP}\n  timeout: 100ms\n- shutdown\n")
    assert run.status == 1
    assert run.message == "step 2 (wait-event): timed out after 0.1 s, waiting for the event STOP"
    assert (run.only.block["reason"], run.only.block["timeout_ms"]) == ("timeout", 100)


@pytest.mark.slow
def test_a_case_that_takes_too_long_says_what_it_waited_for(run_steps: RunSteps) -> None:
    run = run_steps("- launch\n- wait-event: {name: STOP}\n", head="timeout: 3s")
    assert run.status == 1
    assert run.message == "step 2 (wait-event): the case timed out after 3 s, waiting for the event STOP"
    assert (run.only.block["reason"], run.only.block["timeout_ms"]) == ("timeout", 3000)


# Known failures.


def test_a_known_failure_does_not_fail_the_run(run_steps: RunSteps) -> None:
    run = run_steps('- assert: "{{ 1 == 2 }}"\n', head="expected-failure: bug 7")
    assert run.status == 0
    assert (run.only.ok, run.only.directive, run.only.reason) == (False, "TODO", "bug 7")


def test_a_known_crash_does_not_fail_the_run(run_command: RunSteps, place: Path) -> None:
    (place / "crashes.yaml").write_text(CRASHES + "expected-failure: bug 7\n")
    run = run_command("crashes.yaml")
    assert (run.status, run.only.directive) == (0, "TODO")


def test_an_unexpected_pass_fails_the_run(run_steps: RunSteps) -> None:
    run = run_steps("- launch\n", head="expected-failure: bug 7")
    assert (run.status, run.only.ok, run.only.directive) == (1, False, "")
    assert run.message == "passed, but is expected to fail"
    assert run.only.block["hint"] == "remove 'expected-failure'"


# Signals, crashes and internal errors.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_reported_before_cleanup(place: Path, test_dir: Path, number: signal.Signals) -> None:
    running = command.start("-j1", "waits.yaml", "passes.yaml")
    command.eventually(lambda: command.qemus_in(test_dir), "QEMU to run")
    for pid in command.qemus_in(test_dir):
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    running.send(number)
    report = running.read_until("Bail out!")
    assert time.monotonic() - began < 0.5
    assert lint(report) == []
    interrupted, not_run = Run(0, report, "").points
    assert interrupted.block["message"].split(": ")[1].startswith(f"interrupted by {number.name}, waiting for ")
    assert (interrupted.ok, interrupted.block["reason"]) == (False, "interrupted")
    assert (not_run.ok, not_run.directive, not_run.reason) == (True, "SKIP", "not run, interrupted")
    assert report.endswith(f"\nBail out! interrupted by {number.name}\n")
    assert running.finish().status == 128 + number
    _nothing_is_left(test_dir)


def test_a_second_signal_changes_nothing(place: Path, test_dir: Path) -> None:
    running = command.start("waits.yaml")
    command.eventually(lambda: command.qemus_in(test_dir), "QEMU to run")
    running.send(signal.SIGINT)
    running.send(signal.SIGTERM)
    running.read_until("Bail out! interrupted by SIG")
    running.send(signal.SIGINT)
    run = running.finish()
    assert run.status in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    _nothing_is_left(test_dir)


def test_an_interruption_before_the_run_is_reported(run_command: RunSteps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "run_scenarios.collection.collector.discover", lambda paths: os.kill(os.getpid(), signal.SIGTERM)
    )
    run = run_command("passes.yaml")
    assert (run.status, run.only.name) == (143, "runner setup")
    assert run.stdout.endswith("\nBail out! interrupted by SIGTERM\n")
    assert run_command("--list", "passes.yaml").status == 143


def test_a_signal_that_was_ignored_stays_ignored(place: Path, test_dir: Path) -> None:
    (place / "short.yaml").write_text("scenario: s\ntimeout: 1\nsteps:\n  - launch\n  - wait-event: {name: STOP}\n")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        running = command.start("short.yaml")
    finally:
        signal.signal(signal.SIGHUP, before)
    command.eventually(lambda: command.qemus_in(test_dir), "QEMU to run")
    running.send(signal.SIGHUP)
    assert "timed out" in running.finish().message


def test_the_signal_handlers_of_the_caller_are_restored(run_command: RunSteps) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    run_command("passes.yaml")
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_a_killed_runner_leaves_nothing_behind(place: Path, test_dir: Path) -> None:
    running = command.start("-j1", "passes.yaml", "waits.yaml", "passes.yaml")
    begun = running.read_until("ok 1")
    command.eventually(lambda: command.qemus_in(test_dir), "QEMU to run")
    running.send(signal.SIGKILL)
    run = running.finish()
    assert run.status == -signal.SIGKILL
    assert "2 points planned, 1 printed" in lint(begun + run.stdout)[-1]
    command.eventually(lambda: not command.processes_in(test_dir), "QEMU to go")
    command.eventually(lambda: not list(test_dir.iterdir()), "the directory to go")


def test_a_closed_pipe_on_stdout_does_not_stop_the_run(place: Path, test_dir: Path) -> None:
    shell = f"{' '.join(command.PROGRAM)} passes.yaml matrix.yaml --artifacts kept 2>err; echo $? >status"
    done = subprocess.run(["sh", "-c", f"({shell}) | head -1"], env=_environment(), capture_output=True, text=True)
    assert done.stdout == "TAP version 13\n"
    command.eventually(lambda: (place / "status").exists() and (place / "status").read_text(), "the end")
    assert ((place / "status").read_text(), (place / "err").read_text()) == ("0\n", "")
    assert len(list((place / "kept").iterdir())) == 4


def test_a_closed_pipe_on_stderr_does_not_stop_the_run(place: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [*command.PROGRAM, "wrong.yaml", "fails.yaml", "passes.yaml"],
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=write_end,
        text=True,
    )
    os.close(write_end)
    assert done.returncode == 2
    assert lint(done.stdout) == []


def test_an_internal_error_exits_with_3_and_prints_a_bug_report(
    run_command: RunSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("run_scenarios.collection.collector.discover", broken)
    run = run_command("passes.yaml")
    assert run.status == 3
    assert run.stdout.endswith("\nBail out! internal error: KeyError: 'oops'\n")
    assert "This is a bug in run-scenarios" in run.stderr
    assert "KeyError: 'oops'" in run.stderr
    assert "Python 3" in run.stderr
    assert run_command("--list", "passes.yaml").status == 3


def test_an_internal_error_during_a_run_completes_the_report(
    run_command: RunSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("run_scenarios.report.console.describe_failure", broken)
    run = run_command("-j1", "passes.yaml", "fails.yaml", "matrix.yaml::n=1")
    assert run.status == 3
    assert lint(run.stdout) == []
    assert [each.ok for each in run.points] == [True, False, False]
    assert run.stdout.endswith("\nBail out! internal error: KeyError: 'oops'\n")


def _nothing_is_left(test_dir: Path) -> None:
    assert command.processes_in(test_dir) == []
    assert list(test_dir.iterdir()) == []


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": command.PYTHON_PATH}


def test_no_control_character_of_a_scenario_reaches_the_terminal(run_command: RunSteps, tmp_path: Path) -> None:
    """It could move the cursor, or change what earlier lines say."""
    steps = 'steps:\n  - name: "step \\e[1m"\n    assert: "{{ a == 1 }}"\n'
    (tmp_path / "evil.yaml").write_text(f'scenario: "title \\e[31m"\nmatrix: {{a: ["\\e[2J\\a"]}}\n{steps}')
    listed = run_command("--list", "evil.yaml")
    assert listed.stdout == "evil[a=\\x1b[2J\\x07]\n"
    run = run_command("evil.yaml")
    assert run.status == 1
    assert "  rerun: run-scenarios 'evil.yaml::a=\\x1b[2J\\x07'\n" in run.stderr
    assert not {"\x1b", "\x07"} & {*run.stdout, *run.stderr}
    assert run_command("--list", "evil.yaml::a=\\x1b[2J\\x07").stdout == listed.stdout


def test_names_are_utf_8_whatever_the_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.yaml").write_text(
        """\
scenario: a name in UTF-8
steps:
  - create-image: {file: "\u00e4.qcow2", size: 1M}
  - launch
  - qmp:
      execute: blockdev-add
      arguments: {driver: qcow2, node-name: n, file: {driver: file, filename: "\u00e4.qcow2"}}
  - qmp: query-named-block-nodes
    expect: {$contains: {node-name: n, file: "\u00e4.qcow2"}}
""",
        encoding="utf-8",
    )
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = command.run("names.yaml", env=ascii_only)
    assert run.status == 0, run.stdout + run.stderr
