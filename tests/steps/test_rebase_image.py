"""The verb `rebase-image`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps

CHAIN = """
procedures:
  make-chain:
    steps:
      - create-image: {file: base.qcow2, size: 1M}
      - write: {file: base.qcow2, patterns: [{byte: 0x11, at: 0, size: 64k}]}
      - create-image: {file: other.qcow2, size: 1M}
      - create-image: {file: top.qcow2, backing: base.qcow2}
"""


def test_the_content_stays_when_the_backing_file_changes(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-chain
        - rebase-image: {file: top.qcow2, backing: other.qcow2}
        - image-info: top.qcow2
          expect: {backing-filename: other.qcow2, backing-filename-format: qcow2}
        - read: {file: top.qcow2, patterns: [{byte: 0x11, at: 0, size: 64k}, {byte: 0, at: 64k, size: 64k}]}
        """,
        head=CHAIN,
    )
    assert run.status == 0, run.stderr


def test_unsafe_changes_nothing_but_the_name(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-chain
        - rebase-image: {file: top.qcow2, backing: {file: other.qcow2, format: qcow2}, unsafe: true}
        - read: {file: top.qcow2, patterns: [{byte: 0, at: 0, size: 64k}]}
        """,
        head=CHAIN,
    )
    assert run.status == 0, run.stderr


def test_without_a_backing_file_all_data_is_in_the_image(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-chain
        - rebase-image: {file: top.qcow2, backing: null}
        - image-info: top.qcow2
          expect: {backing-filename: {$absent: true}}
        - read: {file: top.qcow2, patterns: [{byte: 0x11, at: 0, size: 64k}]}
        """,
        head=CHAIN,
    )
    assert run.status == 0, run.stderr


def test_a_backing_file_that_is_not_there_fails_it(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-chain
        - rebase-image: {file: top.qcow2, backing: nosuch.qcow2}
        """,
        head=CHAIN,
    )
    assert run.status == 1
    assert "(rebase-image): qemu-img rebase exited with status 1: " in run.message
    assert "nosuch.qcow2" in run.message
    assert "No such file or directory" in run.message
