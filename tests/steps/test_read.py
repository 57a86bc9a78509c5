"""The verb `read`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.scenarios import RunSteps

PATTERNED = """
procedures:
  make-patterned-image:
    steps:
      - create-image: {file: a.qcow2, size: 1M}
      - write: {file: a.qcow2, patterns: [{byte: 0x41, at: 0, size: 64k}]}
  launch-with-patterned-drive:
    steps:
      - create-image: {file: a.qcow2, size: 1M}
      - write: {file: a.qcow2, patterns: [{byte: 0x41, at: 0, size: 64k}]}
      - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2, node-name: node0}]}
"""
ON_DEVICE = ("launch-with-patterned-drive", "device: drive0", "drive0")
ON_FILE = ("make-patterned-image", "file: a.qcow2", "a.qcow2")
BOTH = pytest.mark.parametrize(("before", "where", "named"), [ON_DEVICE, ON_FILE], ids=["device", "file"])


@BOTH
def test_the_right_pattern_passes(run_steps: RunSteps, before: str, where: str, named: str) -> None:
    run = run_steps(
        f"""
        - call: {before}
        - read: {{{where}, patterns: [{{byte: 0x41, at: 0, size: 64k}}, {{byte: 0, at: 64k, size: 64k}}]}}
        """,
        head=PATTERNED,
    )
    assert run.status == 0, run.stderr


@BOTH
def test_a_wrong_pattern_fails_it(run_steps: RunSteps, before: str, where: str, named: str) -> None:
    run = run_steps(
        f"""
        - call: {before}
        - read: {{{where}, patterns: [{{byte: 0x42, at: 512, size: 1k}}]}}
        """,
        head=PATTERNED,
    )
    assert run.status == 1
    assert run.message.endswith(
        f"(read): 'read -P0x42 512 1k' on {named} failed: Pattern verification failed at offset 512, 1024 bytes"
    )


@BOTH
def test_the_pattern_that_is_wrong_is_named_and_not_the_last(
    run_steps: RunSteps, before: str, where: str, named: str
) -> None:
    run = run_steps(
        f"""
        - call: {before}
        - read:
            {where}
            patterns: [{{byte: 0x41, at: 0, size: 1k}}, {{byte: 1, at: 1k, size: 1k}}, {{at: 0, size: 1}}]
        """,
        head=PATTERNED,
    )
    assert run.status == 1
    assert f"'read -P0x01 1k 1k' on {named} failed" in run.message


@BOTH
def test_one_wrong_byte_at_the_end_of_a_range_fails_it(
    run_steps: RunSteps, before: str, where: str, named: str
) -> None:
    run = run_steps(
        f"""
        - call: {before}
        - read: {{{where}, patterns: [{{byte: 0x41, at: 0, size: 65537}}]}}
        """,
        head=PATTERNED,
    )
    assert run.status == 1
    assert "Pattern verification failed at offset 0, 65537 bytes" in run.message


def test_a_range_without_a_byte_is_read_and_not_checked(run_steps: RunSteps) -> None:
    steps = """
        - call: launch-with-patterned-drive
        - read: {device: node0, patterns: [{at: AT, size: 512}]}
    """
    assert run_steps(steps.replace("AT", "0"), head=PATTERNED).status == 0
    run = run_steps(steps.replace("AT", "1M"), head=PATTERNED)
    assert run.status == 1
    assert run.message.endswith("'read 1M 512' on node0 failed: read failed: Input/output error")


def test_an_injected_error_that_is_only_printed_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch:
            blockdev:
              - driver: blkdebug
                node-name: bad
                image: {driver: null-co, read-zeroes: true}
                inject-error: [{event: none, iotype: read, errno: 5, once: true}]
        - read: {device: bad, patterns: [{byte: 0, at: 0, size: 512}]}
          error: {output: "read failed: Input/output error"}
        - read: {device: bad, patterns: [{byte: 0, at: 0, size: 512}]}
        - read: {device: bad, patterns: [{byte: 1, at: 0, size: 512}]}
    """)
    assert run.status == 1
    assert run.message.startswith("step 4 (read): 'read -P0x01 0 512' on bad failed: Pattern verification")


def test_it_works_on_one_thing_only(run_steps: RunSteps) -> None:
    run = run_steps("""
        - read: {device: drive0, file: a.qcow2, patterns: [{byte: 0, at: 0, size: 512}]}
        - read: {patterns: [{byte: 0, at: 0, size: 512}]}
    """)
    assert run.status == 2
    assert "case.yaml:4:28: error: needs exactly one of 'file', 'device' and 'qdev'" in run.stderr
    assert "case.yaml:5:11: error: needs exactly one of 'file', 'device' and 'qdev'" in run.stderr


def test_a_qemu_io_that_crashes_is_said_to(run_steps: RunSteps, tmp_path: Path) -> None:
    program = tmp_path / "qemu-io"
    program.write_text("#!/bin/sh\nkill -SEGV $$\n")
    program.chmod(0o755)
    run = run_steps(
        """
        - create-image: {file: a.qcow2, size: 1M}
        - read: {file: a.qcow2, patterns: [{byte: 0, at: 0, size: 512}]}
        """,
        "--qemu-io",
        str(program),
    )
    assert (run.status, run.only.block["reason"]) == (1, "qemu-crash")
    assert run.message == "step 2 (read): qemu-io was killed by SIGSEGV"
