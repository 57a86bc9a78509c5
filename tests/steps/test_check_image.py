"""The verb `check-image`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps

LEAKING = """
procedures:
  make-leaking-image:
    summary: The refcount of a cluster that nothing refers to is raised by hand, where qcow2 keeps it.
    steps:
      - create-image: {file: a.qcow2, size: 1M}
      - write: {file: a.qcow2, patterns: [{byte: 0x41, at: 0, size: 128k}]}
      - write: {file: a.qcow2, format: raw, patterns: [{byte: 1, at: 131087, size: 1}]}
      - resize-image: {file: a.qcow2, format: raw, size: 512k}
"""


def test_a_clean_image_passes_and_its_report_is_the_result(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - check-image: a.qcow2
          expect: {check-errors: 0, leaks: {$absent: true}, filename: a.qcow2}
    """)
    assert run.status == 0, run.stderr


def test_a_leak_fails_it(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-leaking-image
        - check-image: a.qcow2
        """,
        head=LEAKING,
    )
    assert run.status == 1
    assert run.message == (
        "step 6 (check-image): qemu-img check exited with status 3: Leaked cluster 7 refcount=1 reference=0"
    )


def test_a_leak_is_repaired(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make-leaking-image
        - check-image: {file: a.qcow2, repair: leaks}
          expect: {leaks-fixed: 1, check-errors: 0}
        - check-image: a.qcow2
        """,
        head=LEAKING,
    )
    assert run.status == 0, run.stderr


def test_a_format_that_cannot_be_checked_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 1M}
        - check-image: a.raw
    """)
    assert run.status == 1
    assert run.message.startswith("step 2 (check-image): qemu-img check does not support checks for this format: ")


def test_a_file_of_another_format_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 1M}
        - check-image: {file: a.raw, format: qcow2}
    """)
    assert run.status == 1
    assert "Image is not in qcow2 format" in run.message
