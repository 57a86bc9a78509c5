"""The verb `create-image`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_an_image_has_the_size_format_options_and_backing_file_it_was_given(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: base.raw, size: 1M}
        - create-image: {file: a.qcow2, size: 3M, options: {cluster_size: 128k, lazy_refcounts: true}}
        - create-image: {file: top.image, format: qcow2, backing: base.raw}
        - image-info: base.raw
          expect: {format: raw, virtual-size: 1048576}
        - image-info: a.qcow2
          expect:
            virtual-size: 3145728
            cluster-size: 131072
            backing-filename: {$absent: true}
            format-specific: {data: {lazy-refcounts: true}}
        - image-info: {file: top.image, format: qcow2}
          expect: {virtual-size: 1048576, backing-filename: base.raw, backing-filename-format: raw}
    """)
    assert run.status == 0, run.stderr


def test_the_size_may_have_a_fraction_and_a_binary_suffix(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 1.5MiB}
        - image-info: a.raw
          expect: {virtual-size: 1572864}
    """)
    assert run.status == 0, run.stderr


def test_a_comma_in_the_name_is_part_of_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: "a,b.qcow2", size: 1M}
        - create-image: {file: c.qcow2, backing: "a,b.qcow2"}
        - image-info: c.qcow2
          expect: {backing-filename: "a,b.qcow2"}
    """)
    assert run.status == 0, run.stderr


def test_what_qemu_img_refuses_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M, options: {cluster_size: 3000}}
    """)
    assert run.status == 1
    assert run.message == (
        "step 1 (create-image): qemu-img create exited with status 1: "
        "qemu-img: a.qcow2: Cluster size must be a power of two between 512 and 2048k"
    )


def test_an_expected_refusal_is_matched_and_saved(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, backing: nosuch.qcow2}
          error: {status: 1, stderr: {$contains: No such file}}
          save: refusal
        - assert: {value: "{{ refusal.status }}", expect: 1}
    """)
    assert run.status == 0, run.stderr


def test_a_format_that_the_suffix_does_not_tell_is_a_mistake(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.new, size: 1M}
    """)
    assert run.status == 2
    assert "cannot tell the format of 'a.new' from its name" in run.stderr
    assert "add 'format:', or use a suffix such as .qcow2 or .raw" in run.stderr
