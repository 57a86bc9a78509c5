"""The verb `resize-image`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_an_image_grows_and_shrinks(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - resize-image: {file: a.qcow2, size: 3M}
        - image-info: a.qcow2
          expect: {virtual-size: 3145728}
        - resize-image: {file: a.qcow2, size: 512k, shrink: true}
        - image-info: a.qcow2
          expect: {virtual-size: 524288}
    """)
    assert run.status == 0, run.stderr


def test_new_space_is_allocated_as_told(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 64k}
        - resize-image: {file: a.raw, size: 1M, preallocation: full}
        - image-info: a.raw
          expect: {virtual-size: 1048576, actual-size: {$ge: 983040}}
    """)
    assert run.status == 0, run.stderr


def test_shrinking_must_be_allowed(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - resize-image: {file: a.qcow2, size: 512k}
    """)
    assert run.status == 1
    assert run.message.startswith("step 2 (resize-image): qemu-img resize exited with status 1: ")
    assert "Use the --shrink option" in run.message
