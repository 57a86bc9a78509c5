"""The verb `commit-image`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps

CHAIN = """
procedures:
  make-chain:
    steps:
      - create-image: {file: base.qcow2, size: 1M}
      - create-image: {file: mid.qcow2, backing: base.qcow2}
      - create-image: {file: top.qcow2, backing: mid.qcow2}
      - write: {file: top.qcow2, patterns: [{byte: 0x22, at: 64k, size: 64k}]}
"""


def test_an_image_is_committed_into_its_backing_file_and_emptied(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-chain
        - commit-image: top.qcow2
        - read: {file: mid.qcow2, patterns: [{byte: 0x22, at: 64k, size: 64k}]}
        - read: {file: base.qcow2, patterns: [{byte: 0, at: 64k, size: 64k}]}
        - map-image: top.qcow2
          expect: {$not: {$contains: {depth: 0}}}
        """,
        head=CHAIN,
    )
    assert run.status == 0, run.stderr


def test_an_image_is_committed_into_its_base_and_kept(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-chain
        - commit-image: {file: top.qcow2, base: base.qcow2, keep: true}
        - read: {file: base.qcow2, patterns: [{byte: 0x22, at: 64k, size: 64k}]}
        - map-image: top.qcow2
          expect: {$contains: {depth: 0, start: 65536, length: 65536}}
        """,
        head=CHAIN,
    )
    assert run.status == 0, run.stderr


def test_an_image_is_committed_into_its_backing_file_and_kept(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-chain
        - commit-image: {file: top.qcow2, keep: true}
        - read: {file: mid.qcow2, patterns: [{byte: 0x22, at: 64k, size: 64k}]}
        - map-image: top.qcow2
          expect: {$contains: {depth: 0, start: 65536, length: 65536}}
        """,
        head=CHAIN,
    )
    assert run.status == 0, run.stderr


def test_an_image_without_a_backing_file_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - commit-image: a.qcow2
    """)
    assert run.status == 1
    assert run.message == (
        "step 2 (commit-image): qemu-img commit exited with status 1: qemu-img: Image does not have a backing file"
    )
