"""The verb `wait-exit`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_qemu_ends_by_itself_with_status_0(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: quit
        - wait-exit
          expect: 0
    """)
    assert run.status == 2
    run = run_steps("""
        - launch
        - qmp: quit
        - wait-exit:
          expect: 0
          save: status
        - assert: "{{ status == 0 }}"
    """)
    assert run.status == 0, run.stderr


def test_a_status_other_than_the_expected_one_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: quit
        - wait-exit: {status: -6}
    """)
    assert run.status == 1
    assert run.message == "step 3 (wait-exit): VM 'vm' exited with status 0"
    assert (run.only.block["wanted"], run.only.block["found"]) == ("-6", "0")


def test_a_vm_that_has_ended_already_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - shutdown
        - wait-exit
    """)
    assert run.status == 1
    assert run.message == "step 3 (wait-exit): VM 'vm' has ended (status 0)"


def test_a_vm_that_does_not_end_times_out(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - wait-exit:
          timeout: 200ms
    """)
    assert run.status == 1
    assert run.message == "step 2 (wait-exit): timed out after 0.2 s, waiting for QEMU to exit"
    assert run.only.block["reason"] == "timeout"
    assert run.only.block["timeout_ms"] == 200
