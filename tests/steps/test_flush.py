"""The verb `flush`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_a_device_and_a_file_are_flushed(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - flush: {file: a.qcow2}
        - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2}]}
        - flush: drive0
    """)
    assert run.status == 0, run.stderr


def test_a_device_that_is_not_there_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - flush: nosuch
    """)
    assert run.status == 1
    assert "'flush' on nosuch failed" in run.message
    assert "nosuch" in run.message


def test_a_file_that_is_not_there_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - flush: {file: nosuch.qcow2}
          error: {output: {$contains: No such file or directory}}
        - flush: {file: nosuch.qcow2}
    """)
    assert run.status == 1
    assert run.message.startswith("step 2 (flush): 'flush' on nosuch.qcow2 failed: ")
