"""The verb `compare`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps

PAIR = """
procedures:
  make-pair:
    steps:
      - create-image: {file: a.qcow2, size: 1M}
      - create-image: {file: b.raw, size: 1M}
      - write: {file: a.qcow2, patterns: [{byte: 1, at: 64k, size: 512}]}
      - write: {file: b.raw, patterns: [{byte: 1, at: 64k, size: 512}]}
"""


def test_images_of_the_same_content_are_identical(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-pair
        - compare: [a.qcow2, b.raw]
        - compare: {images: [{file: a.qcow2, format: qcow2}, b.raw], outcome: identical}
        """,
        head=PAIR,
    )
    assert run.status == 0, run.stderr


def test_images_of_other_content_fail_it_and_the_place_is_said(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-pair
        - write: {file: b.raw, patterns: [{byte: 2, at: 64k, size: 512}]}
        - compare: [a.qcow2, b.raw]
        """,
        head=PAIR,
    )
    assert run.status == 1
    assert run.message == "step 7 (compare): 'a.qcow2' and 'b.raw' are not identical"
    assert run.only.block["wanted"] == "identical"
    assert run.only.block["found"] == "Content mismatch at offset 65536!"


def test_a_difference_may_be_what_is_wanted(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-pair
        - write: {file: b.raw, patterns: [{byte: 2, at: 64k, size: 512}]}
        - compare: {images: [a.qcow2, b.raw], outcome: different}
        """,
        head=PAIR,
    )
    assert run.status == 0, run.stderr


def test_identical_images_fail_it_where_a_difference_is_wanted(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-pair
        - compare: {images: [a.qcow2, b.raw], outcome: different}
        """,
        head=PAIR,
    )
    assert run.status == 1
    assert run.message == "step 6 (compare): 'a.qcow2' and 'b.raw' are not different"
    assert run.only.block["found"] == "Images are identical."


def test_strict_sees_another_size(run_steps: RunSteps) -> None:
    steps = """
        - create-image: {file: a.qcow2, size: 1M}
        - create-image: {file: b.qcow2, size: 2M}
        - compare: {images: [a.qcow2, b.qcow2], strict: STRICT}
    """
    assert run_steps(steps.replace("STRICT", "false")).status == 0
    run = run_steps(steps.replace("STRICT", "true"))
    assert run.status == 1
    assert run.only.block["found"] == "Strict mode: Image size mismatch!"


def test_an_image_that_cannot_be_opened_is_no_difference(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - compare: {images: [a.qcow2, nosuch.qcow2], outcome: different}
    """)
    assert run.status == 1
    assert run.message.startswith("step 2 (compare): qemu-img compare exited with status 2: ")
    assert "No such file" in run.message


def test_an_image_that_a_vm_has_open_is_not_compared(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2}]}
        - compare: [a.qcow2, a.qcow2]
    """)
    assert run.status == 1
    assert run.only.block["hint"] == ("a VM has the image open: use 'shutdown' first, or 'device' instead of 'file'")
