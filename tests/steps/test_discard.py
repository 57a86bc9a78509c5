"""The verb `discard`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_a_discarded_range_of_a_device_is_no_longer_allocated(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 256k}
        - write: {file: a.qcow2, patterns: [{byte: 1, at: 0, size: 256k}]}
        - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2, discard: unmap}]}
        - discard: {device: drive0, ranges: [{at: 64k, size: 64k}, {at: 192k, size: 64k}]}
        - shutdown
        - map-image: a.qcow2
          expect:
            - {start: 0, length: 65536, data: true}
            - {start: 65536, length: 65536, data: false}
            - {start: 131072, length: 65536, data: true}
            - {start: 196608, length: 65536, data: false}
    """)
    assert run.status == 0, run.stderr


def test_a_discarded_range_of_a_file_reads_as_zeroes(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 256k}
        - write: {file: a.qcow2, patterns: [{byte: 1, at: 0, size: 256k}]}
        - discard: {file: a.qcow2, ranges: [{at: 64k, size: 64k}]}
        - read: {file: a.qcow2, patterns: [{byte: 0, at: 64k, size: 64k}, {byte: 1, at: 128k, size: 128k}]}
    """)
    assert run.status == 0, run.stderr


def test_a_range_past_the_end_of_a_device_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 256k}
        - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2, discard: unmap}]}
        - discard: {device: drive0, ranges: [{at: 256k, size: 64k}]}
    """)
    assert run.status == 1
    assert run.message == ("step 3 (discard): 'discard 256k 64k' on drive0 failed: discard failed: Input/output error")


def test_a_range_past_the_end_of_a_file_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 256k}
        - discard: {file: a.qcow2, ranges: [{at: 256k, size: 64k}]}
          error: {output: {$contains: "discard failed: Input/output error"}}
    """)
    assert run.status == 0, run.stderr
