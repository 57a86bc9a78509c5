"""The verb `convert-image`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_a_copy_in_another_format_has_the_same_content(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - write: {file: a.qcow2, patterns: [{byte: 0x5a, at: 192k, size: 64k}]}
        - convert-image: {source: a.qcow2, target: b.raw}
        - image-info: b.raw
          expect: {format: raw, virtual-size: 1048576}
        - read: {file: b.raw, patterns: [{byte: 0x5a, at: 192k, size: 64k}, {byte: 0, at: 256k, size: 64k}]}
    """)
    assert run.status == 0, run.stderr


def test_a_target_is_compressed_and_has_the_options_of_its_format(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - write: {file: a.qcow2, patterns: [{byte: 0x5a, at: 0, size: 1M}]}
        - convert-image:
            source: a.qcow2
            target: {file: small.image, format: qcow2}
            compress: true
            options: {cluster_size: 32k}
        - image-info: {file: small.image, format: qcow2}
          expect: {cluster-size: 32768, actual-size: {$lt: 500000}}
        - compare: [a.qcow2, {file: small.image, format: qcow2}]
    """)
    assert run.status == 0, run.stderr


def test_persistent_bitmaps_are_copied_if_asked_for(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - qemu-img: [bitmap, --add, a.qcow2, bitmap0]
        - convert-image: {source: a.qcow2, target: without.qcow2}
        - convert-image: {source: a.qcow2, target: with.qcow2, bitmaps: true}
        - image-info: without.qcow2
          expect: {format-specific: {data: {bitmaps: {$absent: true}}}}
        - image-info: with.qcow2
          expect: {format-specific: {data: {bitmaps: [{name: bitmap0}]}}}
    """)
    assert run.status == 0, run.stderr


def test_a_source_that_is_not_there_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - convert-image: {source: nosuch.qcow2, target: b.raw}
    """)
    assert run.status == 1
    assert run.message.startswith("step 1 (convert-image): qemu-img convert exited with status 1: ")
    assert "Could not open 'nosuch.qcow2': No such file or directory" in run.message
