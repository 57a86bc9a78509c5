"""How cases end, depending on what QEMU and its tools do."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from run_scenarios.qemu.trace import Trace

from tests.report.taplint import lint
from tests.support import command
from tests.support.command import CRASHES, WAITS
from tests.support.programs import install_program
from tests.support.scenarios import RunSteps

pytestmark = pytest.mark.slow


def wrapper(file: Path, script: str) -> Path:
    """Write a script that stands in for QEMU or a tool, except when that is asked for its version."""
    real = {"qemu": "qemu-system-x86_64"}.get(file.name, file.name)
    file.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec {real} --version\n{script}\n')
    file.chmod(0o755)
    return file


def test_a_crash_fails_only_its_case(run_command: RunSteps, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CRASHES)
    (tmp_path / "b.yaml").write_text("scenario: b\nsteps: [launch]\n")
    run = run_command("a.yaml", "b.yaml")
    crashed, passed = run.points
    assert (run.status, passed.ok) == (1, True)
    assert (crashed.block["reason"], crashed.block["signal"]) == ("qemu-crash", "SIGSEGV")
    assert crashed.block["message"] == "step 3 (hmp): VM 'vm' was killed by SIGSEGV"
    assert "sigraise 11" in crashed.block["log"]


def test_a_crash_after_the_last_step_fails_the_case(run_steps: RunSteps, tmp_path: Path) -> None:
    program = wrapper(tmp_path / "qemu", 'trap "" TERM; qemu-system-x86_64 "$@"; kill -SEGV $$')
    run = run_steps("- launch\n", "--qemu", str(program))
    assert (run.status, run.only.block["reason"], run.only.block["signal"]) == (1, "qemu-crash", "SIGSEGV")
    assert run.message == "VM 'vm' was killed by SIGSEGV"


def test_a_nonzero_exit_status_after_the_last_step_fails_the_case(run_steps: RunSteps, tmp_path: Path) -> None:
    program = wrapper(tmp_path / "qemu", 'trap "" TERM; qemu-system-x86_64 "$@"; exit 1')
    assert run_steps("- launch\n", "--qemu", str(program)).message == "VM 'vm' exited with status 1"


def test_an_expected_exit_is_not_a_crash(run_steps: RunSteps, tmp_path: Path) -> None:
    program = wrapper(tmp_path / "qemu", 'trap "" TERM; qemu-system-x86_64 "$@"; exit 1')
    assert run_steps("- launch\n- qmp: quit\n- wait-exit: {status: 1}\n", "--qemu", str(program)).status == 0


def test_a_full_disk_is_an_infrastructure_error(run_steps: RunSteps, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "trace.jsonl")

    monkeypatch.setattr("run_scenarios.execution.case_runner.Trace", full)
    run = run_steps("- launch\n")
    assert (run.status, run.only.block["reason"]) == (3, "infrastructure")
    assert run.message == "No space left on device: trace.jsonl"


def test_an_unwritable_trace_is_an_infrastructure_error(
    run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "run_scenarios.execution.case_runner.Trace",
        lambda file, *args, **named: Trace(Path("/dev/full"), *args, **named),
    )
    assert run_steps("- launch\n").only.ok  # Without artifacts, the trace is not needed.
    run = run_steps("- launch\n", "--artifacts", str(tmp_path / "kept"))
    assert (run.status, run.only.block["reason"]) == (3, "infrastructure")
    assert run.message == "cannot write the trace: No space left on device"
    failed = run_steps('- assert: "{{ 1 == 2 }}"\n')
    assert (failed.status, failed.only.block["reason"]) == (1, "assertion")


def test_a_qemu_that_ignores_sigterm_fails_the_case(
    run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = wrapper(tmp_path / "qemu", 'trap "" TERM; qemu-system-x86_64 "$@"; exec sleep 1000')
    run = run_steps("- launch:\n  timeout: 20s\n", "--qemu", str(program), head="timeout: 3s")
    assert (run.status, run.only.block["reason"], run.only.block["timeout_ms"]) == (1, "timeout", 3000)
    assert run.message == "the case timed out after 3 s, waiting for vm to end after SIGTERM"
    monkeypatch.setattr("run_scenarios.execution.step_runner.STEP_TIMEOUT_S", 0.2)
    run = run_steps("- launch:\n  timeout: 20s\n", "--qemu", str(program))
    assert run.message == "timed out after 0.2 s, waiting for vm to end after SIGTERM"


def test_a_server_that_ignores_sigterm_fails_its_step(run_steps: RunSteps, tmp_path: Path) -> None:
    server = '(export LISTEN_PID=$BASHPID; exec REAL "$@")'
    program = install_program(tmp_path, "qemu-nbd", f'trap "" TERM; {server} & while :; do sleep 0.1; done')
    run = run_steps(
        """
        - create-image: {file: d.raw, size: 1M}
        - serve-nbd: {file: d.raw}
        - stop-nbd:
          timeout: 200ms
        """,
        "--qemu-nbd",
        str(program),
    )
    assert run.message.endswith("(stop-nbd): timed out after 0.2 s, waiting for qemu-nbd to exit after SIGTERM")


def test_an_unnoticed_crash_is_added_to_a_later_failure(run_steps: RunSteps, tmp_path: Path) -> None:
    dies = '{ until [ -e die ]; do sleep 0.01; done; kill -ABRT $$; } & exec qemu-system-x86_64 "$@"'
    program = wrapper(tmp_path / "qemu", f'case "$*" in *frail*) {dies};; *) exec qemu-system-x86_64 "$@";; esac')
    run = run_steps(
        """
        - launch: {arguments: [-name, frail]}
          vm: other
        - launch
        - create-image: {file: die, format: raw, size: 0}
        - wait-event: STOP
          timeout: 2s
        """,
        "--qemu",
        str(program),
    )
    assert run.message == "step 4 (wait-event): timed out after 2 s, waiting for the event STOP"
    block = run.only.block
    assert (block["reason"], block["signal"], block["details"]) == (
        "qemu-crash",
        "SIGABRT",
        "VM 'other' was killed by SIGABRT",
    )


ABORTS_LATE = """\
#!/bin/sh
if [ "$1" = info ]; then
    kill -ABRT "$(cat pid)"
    while kill -0 "$(cat pid)"; do sleep 0.01; done
fi
exec qemu-img "$@"
"""
"""A qemu-img that kills a QEMU when it is called in the postmortem."""


def test_a_crash_after_the_failure_is_added_to_it(run_steps: RunSteps, tmp_path: Path) -> None:
    script = 'echo "noise $*" >&2; case "$*" in *frail*) echo $$ >pid;; esac; exec qemu-system-x86_64 "$@"'
    noisy = wrapper(tmp_path / "qemu", script)
    aborts = tmp_path / "qemu-img"
    aborts.write_text(ABORTS_LATE)
    aborts.chmod(0o755)
    run = run_steps(
        """
        - create-image: {file: d.raw, format: raw, size: 1M}
        - launch: {arguments: [-name, sound]}
        - launch: {arguments: [-name, frail]}
          vm: other
        - qmp: query-status
          expect: {status: colo}
        """,
        *("--qemu", str(noisy), "--qemu-img", str(aborts), "--artifacts", str(tmp_path / "kept")),
    )
    block = run.only.block
    assert (block["reason"], block["signal"]) == ("qemu-crash", "SIGABRT")
    assert block["message"].startswith("step 4 (qmp): the result of 'qmp': status: expected")
    assert block["details"].endswith("\nVM 'other' was killed by SIGABRT")
    assert block["stderr_vm"] == "other"
    assert "-name frail" in block["stderr_tail"]
    assert "  stderr of 'other':\n    noise " in run.stderr
    # The script judges the crash, not the assertion: this QEMU does not crash by itself.
    script = (tmp_path / "kept/case/reproduce.sh").read_text()
    assert script.endswith("failed_if_exits other 134 0\n")


def test_stderr_is_that_of_the_failed_step(run_steps: RunSteps, tmp_path: Path) -> None:
    noisy = wrapper(tmp_path / "qemu", 'echo "noise $*" >&2; exec qemu-system-x86_64 "$@"')
    steps = "- launch: {arguments: [-name, one]}\n- launch: {arguments: [-name, two]}\n  vm: other\n"
    fails = "- qmp: query-status\n  vm: other\n  expect: {status: colo}\n"
    block = run_steps(steps + fails, "--qemu", str(noisy)).only.block
    assert block["stderr_vm"] == "other"
    assert "-name two" in block["stderr_tail"]


def test_a_vm_that_exits_on_sigterm_has_not_crashed_if_another_hangs(run_steps: RunSteps, tmp_path: Path) -> None:
    hangs = 'trap "" TERM; qemu-system-x86_64 "$@"; exec sleep 1000'
    program = wrapper(tmp_path / "qemu", f'case "$*" in *slow*) {hangs};; *) exec qemu-system-x86_64 "$@";; esac')
    steps = "- launch\n- launch: {arguments: [-name, slow]}\n  vm: other\n"
    run = run_steps(steps, "--qemu", str(program), head="timeout: 3s")
    assert (run.only.block["reason"], run.only.block.get("details")) == ("timeout", None)
    assert run.message == "the case timed out after 3 s, waiting for vm and other to end after SIGTERM"


def test_a_timeout_names_the_tool_it_waited_for(run_steps: RunSteps, tmp_path: Path) -> None:
    program = wrapper(tmp_path / "qemu-img", "exec sleep 1000")
    steps = "- launch\n- create-image: {file: d.qcow2, size: 1M}\n  timeout: 100ms\n"
    run = run_steps(steps, "--qemu-img", str(program))
    assert run.message == "step 2 (create-image): timed out after 0.1 s, waiting for qemu-img create"


def test_a_relaunched_qemu_that_hangs_times_out(run_steps: RunSteps, tmp_path: Path) -> None:
    """The first QEMU has exited when the second does not send its greeting in time."""
    # Outside of a case's directory, it is started to query its schema.
    script = 'case $PWD in */work) [ -e once ] && exec sleep 1000; touch once;; esac; exec qemu-system-x86_64 "$@"'
    program = wrapper(tmp_path / "qemu", script)
    run = run_steps("- launch\n- shutdown\n- launch:\n  timeout: 300ms\n", "--qemu", str(program))
    assert run.message == "step 3 (launch): timed out after 0.3 s, waiting for QEMU's QMP greeting"


def test_an_interrupted_case_keeps_artifacts_only_on_request(tmp_path: Path, test_dir: Path) -> None:
    (tmp_path / "w.yaml").write_text(WAITS)
    for options, kept in (([], []), (["--artifacts", str(tmp_path / "kept")], ["w"])):
        running = command.start(*options, tmp_path / "w.yaml", env={"PWD": str(tmp_path)})
        command.eventually(lambda: command.qemus_in(test_dir), "QEMU to run")
        running.send(signal.SIGTERM)
        run = running.finish()
        assert (run.status, lint(run.stdout)) == (143, [])
        names = [each.name.rpartition("+")[2] for each in tmp_path.glob("kept/*")]
        assert [name.split("-")[0] for name in names] == kept
        assert list(test_dir.iterdir()) == []
