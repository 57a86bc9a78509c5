"""Shards are complete, disjoint, and of similar duration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_scenarios.collection.options import Shard
from run_scenarios.collection.sharding import (
    choose_members,
    compute_fingerprint,
    count_steps,
    estimate_weights,
    load_durations,
)
from run_scenarios.core.errors import UsageError
from run_scenarios.scenario.model import Scenario
from run_scenarios.scenario.parser import Reader

WEIGHTS = st.dictionaries(st.text(max_size=5), st.floats(0, 1000), max_size=40)
COUNTS = st.integers(1, 9)


def shards(weights: dict[str, float], count: int) -> list[frozenset[str]]:
    return [choose_members(weights, Shard(number, count)) for number in range(1, count + 1)]


@pytest.mark.slow
@given(WEIGHTS, COUNTS)
def test_shards_are_a_partition(weights: dict[str, float], count: int) -> None:
    parts = shards(weights, count)
    assert frozenset().union(*parts) == weights.keys()
    assert sum(map(len, parts)) == len(weights)


@pytest.mark.slow
@given(WEIGHTS, COUNTS, st.randoms())
def test_the_order_in_which_cases_are_found_does_not_matter(
    weights: dict[str, float], count: int, random: object
) -> None:
    names = list(weights)
    random.shuffle(names)  # type: ignore[attr-defined]
    assert shards({name: weights[name] for name in names}, count) == shards(weights, count)


@given(WEIGHTS, COUNTS)
def test_no_shard_outweighs_another_by_more_than_its_heaviest_case(weights: dict[str, float], count: int) -> None:
    loads = [sum(weights[name] for name in part) for part in shards(weights, count)]
    assert max(loads) - min(loads) <= max(weights.values(), default=0) + 1e-6


def test_equal_cases_are_distributed_evenly() -> None:
    assert sorted(map(len, shards(dict.fromkeys("abcdefg", 1.0), 3))) == [2, 2, 3]


def test_other_weights_have_another_fingerprint() -> None:
    assert (
        compute_fingerprint({"a": 1.0, "b": 2.0})
        == compute_fingerprint({"b": 2.0, "a": 1.0})
        != compute_fingerprint({"a": 1.0, "b": 3.0})
    )


def scenario(directory: Path, text: str) -> Scenario:
    (directory / "a.yaml").write_text(f"scenario: a\n{text}")
    read = Reader.from_disk().read(directory / "a.yaml", "a.yaml")
    assert isinstance(read, Scenario), read
    return read


def test_steps_of_blocks_and_procedures_are_counted(tmp_path: Path) -> None:
    text = """\
procedures:
  inner: {steps: [launch, shutdown]}
  outer: {steps: [{call: inner}, {call: inner}]}
steps:
  - call: outer
  - for-each: {_round: [1, 2]}
    steps: [{call: inner}, launch]
"""
    # outer: 1 + (2 calls + 2 * 2); for-each: 1 + 1 call + 2 + 1
    assert count_steps(scenario(tmp_path, text)) == 1 + 6 + 1 + 1 + 2 + 1


def test_unknown_durations_are_estimated_from_steps(tmp_path: Path) -> None:
    short, long = scenario(tmp_path, "steps: [launch]\n"), scenario(tmp_path, "steps: [launch, shutdown, launch]\n")
    every = {"known": count_steps(short), "strange": count_steps(long)}
    assert estimate_weights(every, {}) == {"known": 1.0, "strange": 3.0}
    assert estimate_weights(every, {"known": 0.5, "gone": 9.0}) == {"known": 0.5, "strange": 1.5}


def test_durations_of_later_files_win(tmp_path: Path) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    first.write_text(json.dumps({"a": 1, "b": 2.5}))
    second.write_text(json.dumps({"b": 3.5}))
    assert load_durations([first, second]) == {"a": 1, "b": 3.5}


@pytest.mark.parametrize("text", ["", "[1]", '{"a": "1"}', '{"a": true}', '{"a": -1}', '{"a": NaN}', "[" * 100_000])
def test_a_file_without_durations_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "d.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"--durations: .*d\.json (is not JSON|was not written by --save-durations)"):
        load_durations([file])


def test_a_missing_file_of_durations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*No such file"):
        load_durations([tmp_path / "d.json"])
