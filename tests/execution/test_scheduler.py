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


def wrapper(file: Path, script: str) -> Path:
    """Write a script that stands in for QEMU."""
    file.write_text(f"#!/bin/sh\n{script}\n")
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
