"""The verb `qemu-img`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_its_arguments_are_words_and_numbers(run_steps: RunSteps) -> None:
    run = run_steps("""
        - qemu-img: [create, -f, qcow2, a.qcow2, 1048576]
          expect: {stdout: {$contains: "Formatting 'a.qcow2'"}, stderr: ""}
        - image-info: a.qcow2
          expect: {virtual-size: 1048576}
    """)
    assert run.status == 0, run.stderr


def test_a_status_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - qemu-img: [bitmap, --remove, a.qcow2, bitmap0]
    """)
    assert run.status == 1
    assert run.message == (
        "step 2 (qemu-img): qemu-img bitmap exited with status 1: "
        "qemu-img: Operation remove on bitmap bitmap0 failed: Dirty bitmap 'bitmap0' not found"
    )
    assert run.only.block["hint"].endswith("/qemu-img bitmap --remove a.qcow2 bitmap0")


def test_another_failure_than_expected_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - qemu-img: [info, nosuch.qcow2]
          error: {status: 2}
    """)
    assert run.status == 1
    assert run.message.endswith(
        "No such file or directory; another error was expected: status: expected 2 (integer), found 1 (integer)"
    )


def test_success_fails_it_where_a_failure_is_expected(run_steps: RunSteps) -> None:
    run = run_steps("""
        - qemu-img: [--version]
          error: {status: 1}
    """)
    assert run.status == 1
    assert run.message == "step 1 (qemu-img): 'qemu-img' succeeded, though it must fail"
    assert run.only.block["wanted"] == '{"status": 1}'
