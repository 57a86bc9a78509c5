"""The verb `assert-bitmap`."""

from __future__ import annotations

import pytest
from run_scenarios.steps.argument_types import Size
from run_scenarios.steps.assert_bitmap import count_dirty_bytes
from run_scenarios.steps.qemu_io_commands import Range

from tests.support.scenarios import RunSteps

HEAD = """
procedures:
  launch-with-bitmap:
    parameters:
      granularity: {type: integer, default: 65536}
      size: {type: size, default: 64M}
    steps:
      - create-image: {file: a.qcow2, size: "{{ size }}"}
      - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2, node-name: node0}]}
      - qmp:
          execute: block-dirty-bitmap-add
          arguments: {node: drive0, name: bitmap0, granularity: "{{ granularity }}"}
"""


@pytest.mark.parametrize("granularity", [512, 4096, 65536, 2097152, 33554432])
def test_dirty_ranges_are_counted_at_any_granularity(run_steps: RunSteps, granularity: int) -> None:
    run = run_steps(
        f"""
        - call: launch-with-bitmap
          with: {{granularity: {granularity}, size: 65M}}
        - write:
            device: drive0
            patterns:
              - {{at: 511, size: 2}}
              - {{at: 16M, size: 256k}}
              - {{at: 16700k, size: 1M}}
              - {{at: 68157439, size: 1}}
        - for-each: {{node: [drive0, node0]}}
          steps:
            - assert-bitmap:
                node: "{{{{ node }}}}"
                name: bitmap0
                dirty:
                  - {{at: 68157439, size: 1}}
                  - {{at: 511, size: 2}}
                  - {{at: 16M, size: 256k}}
                  - {{at: 16700k, size: 1M}}
        """,
        head=HEAD,
    )
    assert run.status == 0, run.stderr


def test_one_dirty_cluster_more_than_expected_fails_it(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-with-bitmap
        - write: {device: drive0, patterns: [{at: 65535, size: 2}]}
        - assert-bitmap: {node: drive0, name: bitmap0, dirty: [{at: 64k, size: 512}]}
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message == (
        "step 6 (assert-bitmap): bitmap 'bitmap0' of 'drive0' has 131072 dirty bytes instead of 65536"
    )
    assert run.only.block["wanted"] == "65536 (64k+512 at a granularity of 65536)"


def test_no_dirty_range_means_a_clean_bitmap(run_steps: RunSteps) -> None:
    steps = """
        - call: launch-with-bitmap
        - assert-bitmap: {node: drive0, name: bitmap0, dirty: []}
        - write: {device: drive0, patterns: [{at: 0, size: 1}]}
        - assert-bitmap: {node: drive0, name: bitmap0, dirty: []}
    """
    run = run_steps(steps, head=HEAD)
    assert run.status == 1
    assert run.message.startswith("step 7 (assert-bitmap)")
    assert run.only.block["wanted"] == "0 (nothing at a granularity of 65536)"


def test_the_status_is_as_expected_with_operators(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-with-bitmap
        - write: {device: drive0, patterns: [{at: 0, size: 1M}]}
        - assert-bitmap:
            node: node0
            name: bitmap0
            count: {$ge: 1048576}
            granularity: {$one-of: [65536]}
            busy: false
            recording: true
            persistent: false
            inconsistent: {$absent: true}
          expect: {name: bitmap0, count: 1048576}
        """,
        head=HEAD,
    )
    assert run.status == 0, run.stderr


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("count: 1", "count: expected 1 (integer), found 0 (integer)"),
        ("count: {$gt: 0}", "count: expected greater than 0 (integer), found 0 (integer)"),
        ("granularity: 512", "granularity: expected 512 (integer), found 65536 (integer)"),
        ("busy: true", "busy: expected true (boolean), found false (boolean)"),
        ("recording: false", "recording: expected false (boolean), found true (boolean)"),
        ("persistent: true", "persistent: expected true (boolean), found false (boolean)"),
        ("inconsistent: true", "inconsistent: expected true (boolean), found false (boolean)"),
    ],
)
def test_another_status_fails_it(run_steps: RunSteps, status: str, said: str) -> None:
    run = run_steps(
        f"""
        - call: launch-with-bitmap
        - assert-bitmap: {{node: drive0, name: bitmap0, {status}}}
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message == f"step 5 (assert-bitmap): bitmap 'bitmap0' of 'drive0': {said}"


def test_a_bitmap_that_must_not_exist(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-with-bitmap
        - assert-bitmap: {node: node0, name: bitmap1, exists: false}
        - assert-bitmap: {node: node0, name: bitmap0, exists: true}
        - assert-bitmap: {node: node0, name: bitmap0, exists: false}
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message == "step 7 (assert-bitmap): 'node0' has a bitmap 'bitmap0'"
    assert run.only.block["wanted"] == "none"


def test_a_bitmap_that_is_not_there_fails_it(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-with-bitmap
        - assert-bitmap: {node: drive0, name: bitmap1, exists: true}
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message == "step 5 (assert-bitmap): 'drive0' has no bitmap 'bitmap1'"
    assert run.only.block["hint"] == "bitmaps of this node: bitmap0"


def test_a_node_that_is_not_there_fails_it_even_for_exists_false(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-with-bitmap
        - assert-bitmap: {node: nosuch, name: bitmap0, exists: false}
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message == "step 5 (assert-bitmap): there is no drive or node 'nosuch'"


def test_it_must_say_something_and_nothing_of_a_bitmap_that_is_not_there(run_steps: RunSteps) -> None:
    run = run_steps("""
        - assert-bitmap: {node: drive0, name: bitmap0}
        - assert-bitmap: {node: drive0, name: bitmap0, exists: false, count: 0}
    """)
    assert run.status == 2
    assert "case.yaml:4:20: error: asserts nothing about the bitmap" in run.stderr
    assert "case.yaml:5:65: error: 'count' of a bitmap that must not exist" in run.stderr


def ranges(*pairs: tuple[int, int]) -> list[Range]:
    return [Range(Size(at, str(at)), Size(size, str(size))) for at, size in pairs]


@pytest.mark.parametrize(
    ("pairs", "dirty"),
    [
        ([], 0),
        ([(0, 0)], 0),
        ([(700, 0)], 0),
        ([(0, 1)], 512),
        ([(511, 2)], 1024),
        ([(512, 512)], 512),
        ([(0, 512), (100, 100)], 512),
        ([(0, 513), (512, 512)], 1024),
        ([(0, 4096), (512, 512), (1024, 512)], 4096),
        ([(1024, 512), (0, 512)], 1024),
        ([(0, 100), (200, 100), (400, 200)], 1024),
    ],
)
def test_count_dirty_bytes_counts_each_chunk_once(pairs: list[tuple[int, int]], dirty: int) -> None:
    assert count_dirty_bytes(ranges(*pairs), 512) == dirty


def test_a_range_beyond_the_end_cannot_be_dirty(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-with-bitmap
          with: {size: 1M}
        - write: {device: drive0, patterns: [{byte: 1, at: 960k, size: 64k}]}
        - assert-bitmap: {node: drive0, name: bitmap0, dirty: [{at: 960k, size: 64k}]}
        - assert-bitmap: {node: drive0, name: bitmap0, dirty: [{at: 960k, size: 128k}]}
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.endswith("(assert-bitmap): the range 960k+128k ends beyond 'drive0'")
