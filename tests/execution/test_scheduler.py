"""Cases as they run: how each can end, whatever QEMU does, and what is left of it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from run_scenarios.qemu.trace import Trace

from tests.report.taplint import lint
from tests.support import command
from tests.support.command import CRASHES, WAITS
from tests.support.scenarios import RunSteps


def wrapper(file: Path, script: str) -> Path:
    """Write a program that is to be taken for QEMU."""
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_a_crash_fails_the_case_and_the_run_goes_on(run_command: RunSteps, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CRASHES)
    (tmp_path / "b.yaml").write_text("scenario: b\nsteps: [launch]\n")
    run = run_command("a.yaml", "b.yaml")
    crashed, passed = run.points
    assert (run.status, passed.ok) == (1, True)
    assert (crashed.block["reason"], crashed.block["signal"]) == ("qemu-crash", "SIGSEGV")
    assert crashed.block["message"] == "step 3 (hmp): VM 'vm' was killed by SIGSEGV"
    assert "sigraise 11" in crashed.block["log"]


def test_a_crash_that_no_step_meets_is_found(run_steps: RunSteps, tmp_path: Path) -> None:
    program = wrapper(tmp_path / "qemu", 'trap "" TERM; qemu-system-x86_64 "$@"; kill -SEGV $$')
    run = run_steps("- launch\n", "--qemu", str(program))
    assert (run.status, run.only.block["reason"], run.only.block["signal"]) == (1, "qemu-crash", "SIGSEGV")
    assert run.message == "VM 'vm' was killed by SIGSEGV"


def test_a_bad_status_in_the_end_is_found(run_steps: RunSteps, tmp_path: Path) -> None:
    program = wrapper(tmp_path / "qemu", 'trap "" TERM; qemu-system-x86_64 "$@"; exit 1')
    assert run_steps("- launch\n", "--qemu", str(program)).message == "VM 'vm' exited with status 1"


def test_an_end_that_was_asked_for_is_no_crash(run_steps: RunSteps, tmp_path: Path) -> None:
    program = wrapper(tmp_path / "qemu", 'trap "" TERM; qemu-system-x86_64 "$@"; exit 1')
    assert run_steps("- launch\n- qmp: quit\n- wait-exit: {status: 1}\n", "--qemu", str(program)).status == 0


def test_a_case_without_room_is_no_failure_of_the_test(run_steps: RunSteps, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "trace.jsonl")

    monkeypatch.setattr("run_scenarios.execution.case_runner.Trace", full)
    run = run_steps("- launch\n")
    assert (run.status, run.only.block["reason"]) == (3, "infrastructure")
    assert run.message == "No space left on device: trace.jsonl"


def test_a_trace_that_cannot_be_written_is_no_failure_of_the_test(
    run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "run_scenarios.execution.case_runner.Trace",
        lambda file, *args, **named: Trace(Path("/dev/full"), *args, **named),
    )
    assert run_steps("- launch\n").only.ok  # Nobody would have read it.
    run = run_steps("- launch\n", "--artifacts", str(tmp_path / "kept"))
    assert (run.status, run.only.block["reason"]) == (3, "infrastructure")
    assert run.message == "cannot write the trace: No space left on device"
    failed = run_steps('- assert: "{{ 1 == 2 }}"\n')
    assert (failed.status, failed.only.block["reason"]) == (1, "assertion")


def test_what_does_not_end_in_the_end_is_found(
    run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = wrapper(tmp_path / "qemu", 'trap "" TERM; qemu-system-x86_64 "$@"; exec sleep 1000')
    run = run_steps("- launch:\n  timeout: 20s\n", "--qemu", str(program), head="timeout: 3s")
    assert (run.status, run.only.block["reason"], run.only.block["timeout_ms"]) == (1, "timeout", 3000)
    assert run.message == "the case timed out after 3 s, waiting for vm to end after SIGTERM"
    monkeypatch.setattr("run_scenarios.execution.step_runner.STEP_TIMEOUT_S", 0.2)
    run = run_steps("- launch:\n  timeout: 20s\n", "--qemu", str(program))
    assert run.message == "timed out after 0.2 s, waiting for vm to end after SIGTERM"


def test_a_server_that_does_not_end_is_found(run_steps: RunSteps, tmp_path: Path) -> None:
    program = wrapper(tmp_path / "qemu-nbd", 'trap "" TERM; touch ready; while :; do sleep 0.1; done')
    run = run_steps(
        """
        - create-image: {file: d.raw, size: 1M}
        - serve-nbd: {file: d.raw}
        - eventually: {within: 20s}
          steps:
            - image-info: {file: ready, format: raw}
              expect: {format: raw}
        - stop-nbd:
          timeout: 200ms
        """,
        "--qemu-nbd",
        str(program),
    )
    assert run.message.endswith("(stop-nbd): timed out after 0.2 s, waiting for qemu-nbd to exit after SIGTERM")


def test_a_vm_that_died_unseen_is_named_beside_the_failure_that_came_of_it(run_steps: RunSteps, tmp_path: Path) -> None:
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


def test_a_step_says_what_it_waits_for_even_if_its_verb_does_not(run_steps: RunSteps, tmp_path: Path) -> None:
    program = wrapper(tmp_path / "qemu-img", "exec sleep 1000")
    steps = "- launch\n- create-image: {file: d.qcow2, size: 1M}\n  timeout: 100ms\n"
    run = run_steps(steps, "--qemu-img", str(program))
    assert run.message == "step 2 (create-image): timed out after 0.1 s, waiting for qemu-img create"


def test_a_machine_that_is_started_again_and_hangs(run_steps: RunSteps, tmp_path: Path) -> None:
    """Its first start has been closed when the second does not greet us in time."""
    # Elsewhere than in a case's directory it is asked what it speaks.
    script = 'case $PWD in */work) [ -e once ] && exec sleep 1000; touch once;; esac; exec qemu-system-x86_64 "$@"'
    program = wrapper(tmp_path / "qemu", script)
    run = run_steps("- launch\n- shutdown\n- launch:\n  timeout: 300ms\n", "--qemu", str(program))
    assert run.message == "step 3 (launch): timed out after 0.3 s, waiting for QEMU's QMP greeting"


def test_an_interrupted_case_keeps_its_artifacts_only_where_asked(tmp_path: Path, test_dir: Path) -> None:
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
