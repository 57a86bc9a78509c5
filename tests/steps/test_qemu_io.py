"""The verb `qemu-io`."""

from __future__ import annotations

import pytest

from tests.support.scenarios import RunSteps

DRIVE = """
procedures:
  launch-with-drive:
    steps:
      - create-image: {file: a.qcow2, size: 1M}
      - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2}]}
"""


def test_commands_on_a_device_have_their_effect_and_their_output_is_the_result(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-with-drive
        - qemu-io: {device: drive0, commands: [write -P 0x31 0 64k, write -z 0 32k, length]}
          expect: {$regex: "wrote 65536/65536 bytes at offset 0\\n(.*\\n)*wrote 32768/32768 (.*\\n)*1 MiB\\n$"}
        - shutdown
        - read: {file: a.qcow2, patterns: [{byte: 0, at: 0, size: 32k}, {byte: 0x31, at: 32k, size: 32k}]}
        """,
        head=DRIVE,
    )
    assert run.status == 0, run.stderr


def test_the_output_of_one_step_is_not_in_the_next(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-with-drive
        - qemu-io: {device: drive0, commands: [read 0 512]}
        - hmp: qemu-io drive0 "read 2M 512"
          error: {output: "read failed: Input/output error"}
        - qemu-io: {device: drive0, commands: [length]}
          expect: "1 MiB\\n"
        """,
        head=DRIVE,
    )
    assert run.status == 0, run.stderr


def test_commands_on_a_file_have_their_effect(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - qemu-io: {file: a.qcow2, commands: [write -P 0x31 0 64k, read -P 0x31 0 64k]}
          expect: {$contains: "wrote 65536/65536 bytes at offset 0"}
        - read: {file: a.qcow2, patterns: [{byte: 0x31, at: 0, size: 64k}]}
    """)
    assert run.status == 0, run.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("read 1M 512", "read failed: Input/output error"),
        ("read -P 7 0 512", "Pattern verification failed at offset 0, 512 bytes"),
        ("aio_read 2M 512", "readv failed: Input/output error"),
        ("nosuch 1", 'command "nosuch" not found'),
        ("write 0 xyz", "Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- xyz"),
        ("write 0", "bad argument count 1 to write, expected at least 2 arguments"),
        ("write -Q 0 512", "write: invalid option -- 'Q'"),
        ("write -z -P 3 0 512", "Only one of -z, -P, and -s can be specified at the same time"),
        ("write -n 0 512", "-n requires -z to be specified"),
        ("write -P 300 0 512", "300 is not a valid pattern byte"),
        ('write "0 512', 'Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- "0'),
    ],
)
def test_a_complaint_that_is_only_printed_fails_it(run_steps: RunSteps, command: str, said: str) -> None:
    run = run_steps(
        f"""
        - call: launch-with-drive
        - qemu-io:
            device: drive0
            commands:
              - {command}
        """,
        head=DRIVE,
    )
    assert run.status == 1
    assert run.message == f"step 4 (qemu-io): '{command}' on drive0 failed: {said}"


def test_a_complaint_about_a_file_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - qemu-io: {file: a.qcow2, commands: [nosuch 1]}
    """)
    assert run.status == 1
    assert run.message == ("step 2 (qemu-io): 'nosuch 1' on a.qcow2 failed: command \"nosuch\" not found")


def test_a_device_that_is_not_there_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qemu-io: {device: nosuch, commands: [length]}
    """)
    assert run.status == 1
    assert run.message == (
        "step 2 (qemu-io): 'length' on nosuch failed: Error: Cannot find device='' nor node-name='nosuch'"
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("aio_read -P 9 0 512", "Pattern verification failed at offset 0, 512 bytes"),
        ("aio_read 1M 512", "readv failed: Input/output error"),
        ("aio_write 1M 512", "aio_write failed: Input/output error"),
    ],
)
def test_an_asynchronous_request_that_fails_on_a_file_fails_it(run_steps: RunSteps, command: str, message: str) -> None:
    run = run_steps(f"""
        - create-image: {{file: a.raw, size: 1M}}
        - qemu-io: {{file: a.raw, commands: [{command}, length]}}
    """)
    assert run.status == 1
    assert run.message == f"step 2 (qemu-io): '{command}; length' on a.raw failed: {message}"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("break read_aio here", "Could not set breakpoint: Operation not supported"),
        ("resume here", "Could not resume request: Operation not supported"),
        ("remove_break here", "Could not remove breakpoint here: Operation not supported"),
        ("reopen -o nosuch=1", "Cannot change the option 'nosuch'"),
    ],
)
def test_what_a_device_does_not_support_fails_it(run_steps: RunSteps, command: str, message: str) -> None:
    run = run_steps(
        f"""
        - call: launch-with-drive
        - qemu-io: {{device: drive0, commands: ["{command}"]}}
        """,
        head=DRIVE,
    )
    assert run.status == 1
    assert run.message == f"step 4 (qemu-io): '{command}' on drive0 failed: {message}"


@pytest.mark.parametrize("last", ["", "- shutdown", "- qemu-io: {device: drive0, commands: [length]}"])
def test_a_request_that_fails_after_its_step_fails_the_case(run_steps: RunSteps, last: str) -> None:
    run = run_steps(f"""
- create-image: {{file: a.raw, size: 1M}}
- launch:
    arguments: [-drive, "if=none,id=drive0,format=raw,file.driver=blkdebug,file.image.filename=a.raw"]
- qemu-io: {{device: drive0, commands: [break read_aio here, aio_read -P 9 0 512, resume here]}}
{last}
""")
    assert run.status == 1
    assert "Pattern verification failed at offset 0, 512 bytes" in run.message


def test_the_details_of_the_format_are_not_an_error(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-with-drive
        - qemu-io: {device: drive0, commands: [info]}
          expect: {$contains: "compat: 1.1"}
        """,
        head=DRIVE,
    )
    assert run.status == 0, run.stderr
