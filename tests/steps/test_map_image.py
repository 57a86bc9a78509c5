"""The verb `map-image`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_the_extents_of_an_image_and_its_backing_file_are_the_result(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: base.qcow2, size: 256k}
        - write: {file: base.qcow2, patterns: [{byte: 1, at: 0, size: 64k}]}
        - create-image: {file: top.qcow2, backing: base.qcow2}
        - write: {file: top.qcow2, patterns: [{byte: 2, at: 64k, size: 64k}]}
        - launch: {drives: [{id: drive0, file: top.qcow2, format: qcow2}]}
        - map-image: top.qcow2
          expect:
            - {start: 0, length: 65536, depth: 1, data: true}
            - {start: 65536, length: 65536, depth: 0, data: true}
            - {start: 131072, length: 131072, data: false, zero: true}
    """)
    assert run.status == 0, run.stderr


def test_other_extents_than_expected_fail_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 256k}
        - map-image: a.qcow2
          expect: [{start: 0, data: true}]
    """)
    assert run.status == 1
    assert run.message == (
        "step 2 (map-image): the result of 'map-image': [0].data: expected true (boolean), found false (boolean)"
    )


def test_a_file_that_is_not_there_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - map-image: nosuch.qcow2
    """)
    assert run.status == 1
    assert run.message.startswith("step 1 (map-image): qemu-img map exited with status 1: ")
    assert "No such file" in run.message
