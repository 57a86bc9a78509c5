"""The verb `image-info`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_an_image_that_a_vm_has_open_is_looked_at(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2}]}
        - image-info: a.qcow2
          expect: {format: qcow2, virtual-size: 1048576}
          save: info
        - assert: "{{ info.filename == 'a.qcow2' }}"
    """)
    assert run.status == 0, run.stderr


def test_another_size_than_expected_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - image-info: a.qcow2
          expect: {virtual-size: 1048577}
    """)
    assert run.status == 1
    assert run.message == (
        "step 2 (image-info): the result of 'image-info': "
        "virtual-size: expected 1048577 (integer), found 1048576 (integer)"
    )


def test_another_format_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 1M}
        - image-info: {file: a.raw, format: qcow2}
    """)
    assert run.status == 1
    assert run.message.endswith("Image is not in qcow2 format")
