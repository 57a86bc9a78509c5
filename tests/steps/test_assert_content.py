"""`remember` and `assert-content`: what the steps wrote must be read, and the first byte that differs is named."""

from __future__ import annotations

from tests.support.scenarios import RunSteps

WRITTEN = """
procedures:
  make-disk:
    steps:
      - create-image: {file: base.qcow2, size: 4M}
      - write: {file: base.qcow2, patterns: [{byte: 1, at: 64k, size: 64k}]}
      - create-image: {file: disk.qcow2, backing: base.qcow2}
      - write: {file: disk.qcow2, patterns: [{byte: 2, at: 1M, size: 512}]}
"""


def test_a_file_holds_what_was_written_to_it_and_to_its_backing_file(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-disk
        - assert-content: {file: disk.qcow2, is: now}
        - convert-image: {source: disk.qcow2, target: copy.raw}
        - assert-content: {file: copy.raw, is: now}
        """,
        head=WRITTEN,
    )
    assert run.status == 0, run.stderr


def test_a_device_keeps_its_content_over_a_snapshot_and_a_commit(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-disk
        - launch: {drives: [{id: d, file: disk.qcow2, format: qcow2}]}
        - remember: {disk: d, as: before}
        - qmp: {execute: blockdev-snapshot-sync, arguments: {device: d, snapshot-file: top.qcow2}}
        - assert-content: {device: d, is: before}
        - write: {device: d, patterns: [{byte: 3, at: 2M, size: 64k}]}
        - qmp: {execute: block-commit, arguments: {job-id: j, device: d}}
        - wait-job: {id: j, until: ready}
        - qmp: {execute: job-complete, arguments: {id: j}}
        - wait-job: j
        - assert-content: {device: d, is: now}
        - shutdown
        - assert-content: {file: base.qcow2, is: now}
        """,
        head=WRITTEN,
    )
    assert run.status == 0, run.stderr


def test_the_first_byte_that_differs_is_named_with_the_step_that_wrote_it(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - create-image: {file: a.raw, size: 1M}
        - write: {file: a.raw, patterns: [{byte: 7, at: 64k, size: 64k}]}
        - remember: {disk: a.raw, as: then}
        - write: {file: a.raw, patterns: [{byte: 8, at: 65540, size: 1}]}
        - assert-content: {file: a.raw, is: then}
        """
    )
    assert run.status == 1
    assert "'a.raw' differs at offset 65540, in the range 65536 to 131072: written by " in run.message
    assert "(write)" in run.message
    assert (run.only.block["wanted"], run.only.block["found"]) == ("0x07", "0x08")


def test_a_byte_that_was_never_written_must_be_zero(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - create-image: {file: a.raw, size: 1M}
        - remember: {disk: a.raw, as: empty}
        - write: {file: a.raw, patterns: [{byte: 8, at: 4k, size: 512}]}
        - assert-content: {file: a.raw, is: empty}
        """
    )
    assert run.status == 1
    assert "differs at offset 4096, in the range 0 to 1048576: never written" in run.message


def test_another_size_fails_it(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - create-image: {file: a.raw, size: 1M}
        - remember: {disk: a.raw, as: small}
        - resize-image: {file: a.raw, size: 2M}
        - assert-content: {file: a.raw, is: small}
        """
    )
    assert run.status == 1
    assert run.message.endswith("'a.raw' has another size")


def test_it_does_not_pass_where_nothing_is_known(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - create-image: {file: a.raw, size: 1M}
        - qemu-io: {file: a.raw, commands: [write 0 64k]}
        - assert-content: {file: a.raw, is: now}
        """
    )
    assert run.status == 1
    assert run.message.endswith("nothing is known about the content of 'a.raw'")


def test_a_content_of_which_nothing_is_known_cannot_be_remembered(run_steps: RunSteps) -> None:
    run = run_steps("- remember: {disk: nosuch.raw, as: x}")
    assert run.status == 1
    assert run.message.endswith("the content of 'nosuch.raw' is not known")


def test_a_name_that_was_not_remembered_fails_it(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - create-image: {file: a.raw, size: 1M}
        - remember: {disk: a.raw, as: before}
        - assert-content: {file: a.raw, is: befor}
        """
    )
    assert run.status == 1
    assert run.message.endswith("nothing has been remembered as 'befor'")
