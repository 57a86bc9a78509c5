"""The verb `hmp`."""

from __future__ import annotations

import pytest

from tests.support.scenarios import RunSteps


def test_a_line_has_its_effect_and_its_output_is_the_result(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2}]}
        - hmp: info block
          expect: {$contains: "drive0 (#block"}
        - hmp: block_resize drive0 2M
          expect: ""
        - image-info: a.qcow2
          expect: {virtual-size: 2097152}
        - hmp: savevm snap0
        - shutdown
        - image-info: a.qcow2
          expect: {snapshots: [{name: snap0}]}
    """)
    assert run.status == 0, run.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("savevm snap0", "Error: no block device can store vmstate for snapshot"),
        ("info nosuch", "unknown command: 'info nosuch'"),
        ("drive_del", 'drive_del: block device name expected\nTry "help drive_del" for more information'),
    ],
)
def test_an_error_that_is_only_printed_fails_it(run_steps: RunSteps, line: str, said: str) -> None:
    run = run_steps(f"""
        - launch
        - hmp: {line}
    """)
    assert run.status == 1
    assert run.message == f"step 2 (hmp): '{line}' failed: {said}"


def test_an_error_may_be_what_is_expected(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - hmp: savevm snap0
          error: {output: "Error: no block device can store vmstate for snapshot"}
          save: refusal
        - assert:
            value: "{{ refusal }}"
            expect: {$exact: {output: "Error: no block device can store vmstate for snapshot"}}
        - hmp: info block
          error: {output: {$any: true}}
    """)
    assert run.status == 1
    assert run.message == "step 4 (hmp): 'hmp' succeeded, though it must fail"


def test_an_error_whose_prefix_depends_on_the_version_fails_it(run_steps: RunSteps) -> None:
    """Since 11.1 QEMU puts "Error: " before it."""
    run = run_steps("""
        - launch
        - hmp: drive_del nosuch
    """)
    assert run.status == 1
    prefix, _, rest = run.message.partition("Device ")
    assert prefix in (f"step 2 (hmp): 'drive_del nosuch' failed: {error}" for error in ("", "Error: "))
    assert rest == "'nosuch' not found"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("read -P 1 0 512", "Pattern verification failed at offset 0, 512 bytes"),
        ("write 1M 512", "write failed: Input/output error"),
        ("length 1", "bad argument count 1 to length, expected 0 arguments"),
    ],
)
@pytest.mark.parametrize("verb", ["hmp", "qmp"])
def test_a_qemu_io_command_that_fails_fails_it(run_steps: RunSteps, verb: str, command: str, message: str) -> None:
    line = f'qemu-io drive0 "{command}"'
    step = {
        "hmp": f"hmp: '{line}'",
        "qmp": f"qmp: {{execute: human-monitor-command, arguments: {{command-line: '{line}'}}}}",
    }[verb]
    run = run_steps(f"""
        - create-image: {{file: a.qcow2, size: 1M}}
        - launch: {{drives: [{{id: drive0, file: a.qcow2, format: qcow2}}]}}
        - {step}
    """)
    assert run.status == 1
    assert run.message == f"step 3 ({verb}): '{line}' failed: {message}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("commit drive0", "'commit' error for 'drive0': Operation not supported"),
        ("info registers", "No CPU available"),
    ],
)
def test_an_error_without_a_prefix_fails_it(run_steps: RunSteps, line: str, message: str) -> None:
    run = run_steps(f"""
        - create-image: {{file: a.raw, size: 1M}}
        - launch: {{drives: [{{id: drive0, file: a.raw, format: raw}}]}}
        - hmp: {line}
    """)
    assert run.status == 1
    assert run.message == f"step 3 (hmp): '{line}' failed: {message}"


def test_what_qemu_io_prints_is_the_result(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2}]}
        - hmp: 'qemu-io drive0 "write -P 7 0 512"'
          expect: {$contains: wrote 512/512 bytes at offset 0}
        - qmp: {execute: human-monitor-command, arguments: {command-line: 'qemu-io drive0 "read -P 7 0 512"'}}
          expect: {$contains: read 512/512 bytes at offset 0}
    """)
    assert run.status == 0, run.stderr
