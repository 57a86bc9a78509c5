"""Putting values into steps, and the memo of that."""

from __future__ import annotations

from pathlib import Path

from run_scenarios.core.nodes import JsonValue, to_json
from run_scenarios.scenario.binding import bind_step
from run_scenarios.steps.scope import Scope
from run_scenarios.steps.verb import Step

from tests.scenario.planning import plan_text


def make_step(directory: Path, expression: str) -> Step:
    (case,) = plan_text(directory, f"scenario: a\nvariables: {{a: [1]}}\nsteps: [set: {{b: '{expression}'}}]\n")
    (step,) = case.load().steps
    return step


def test_the_memo_distinguishes_values_of_different_types(tmp_path: Path) -> None:
    step = make_step(tmp_path, "{{ a }}")
    values: list[JsonValue] = [1, True, 1.0, "1", None, 0.0, -0.0, [1], [True], "[1]", {"a": [1]}, {"a": [1.0]}, 1]
    bound = [bind_step(step, Scope({"a": value}, {})) for value in values]
    assert [repr(to_json(each.argument)) for each in bound] == [repr({"b": value}) for value in values]


def test_a_step_is_bound_once_for_the_same_scalars(tmp_path: Path) -> None:
    step = make_step(tmp_path, "{{ a }}")
    one, two, other = (bind_step(step, Scope({"a": value}, {})) for value in ("x", "x", "y"))
    assert one is two
    assert one is not other


def test_a_deeply_nested_value_is_bound(tmp_path: Path) -> None:
    step = make_step(tmp_path, "{{ a | length }}")
    deep: JsonValue = []
    for _ in range(100_000):
        deep = [deep]
    assert to_json(bind_step(step, Scope({"a": deep}, {})).argument) == {"b": 1}
