"""Cases of a matrix, and the bounds of the dry walk."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_scenarios.core.errors import ScenarioError
from run_scenarios.core.nodes import JsonValue, to_json
from run_scenarios.scenario.model import Scenario
from run_scenarios.scenario.parser import Reader
from run_scenarios.scenario.plan import MAX_CASES, MAX_REMEMBERED, MAX_STEPS, Case, bind_step, plan
from run_scenarios.steps.scope import Scope


def planned(directory: Path, text: str) -> list[Case]:
    file = directory / "a.yaml"
    file.write_text(text)
    scenario = Reader().read(file, "a.yaml")
    assert isinstance(scenario, Scenario), scenario
    return plan(scenario)


def refusal(directory: Path, text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        planned(directory, text)
    return [each.render() for each in caught.value.diagnostics]


def test_a_file_without_matrix_is_one_case(tmp_path: Path) -> None:
    (case,) = planned(tmp_path, "scenario: a\nsteps: [launch]\n")
    assert case.label == ""
    assert (case.name(), case.selector) == ("a", "a.yaml")


def test_a_matrix_is_its_product_without_excluded_and_with_included_ones(tmp_path: Path) -> None:
    matrix = "{b: [1, 2], a: [x, true], exclude: [{a: true, b: 2}], include: [{a: y, b: 3, because: so}]}"
    cases = planned(tmp_path, f"scenario: a\nmatrix: {matrix}\nsteps: [launch]\n")
    assert [case.label for case in cases] == ["a=x,b=1", "a=true,b=1", "a=x,b=2", "a=y,b=3"]
    assert cases[1].dimensions == {"a": True, "b": 1}
    assert [case.number for case in cases] == [0, 1, 2, 3]
    assert (cases[-1].name("on=x"), cases[-1].selector) == ("a[a=y,b=3,on=x]", "a.yaml::a=y,b=3")


def test_exclude_compares_types(tmp_path: Path) -> None:
    assert len(planned(tmp_path, "scenario: a\nmatrix: {a: [1, true], exclude: [{a: true}]}\nsteps: [launch]\n")) == 1


def test_every_case_is_walked(tmp_path: Path) -> None:
    text = 'scenario: a\nmatrix: {f: [raw, nosuch, strange]}\nsteps: [{create-image: {file: a, format: "{{ f }}"}}]\n'
    found = refusal(tmp_path, text)
    assert len(found) == 2
    assert '"nosuch"' in found[0]


def test_a_step_is_bound_once_for_the_same_values_of_the_same_types(tmp_path: Path) -> None:
    (case,) = planned(
        tmp_path, 'scenario: a\nvariables: {a: 1}\nsteps: [{qmp: {execute: stop, arguments: {x: "{{ a }}"}}}]\n'
    )
    (step,) = case.scenario.steps
    values: list[JsonValue] = [1, True, 1.0, "1", None, [1], [True], "[1]", {"a": [1]}, {"a": [1.0]}, [1], 1]
    bound = [bind_step(step, Scope({"a": value}, {})) for value in values]
    found = [to_json(each.argument) for each in bound]
    assert [repr(each) for each in found] == [repr({"execute": "stop", "arguments": {"x": value}}) for value in values]
    assert bound[0] is bound[-1]
    assert bound[5] is bound[-2]


def test_what_is_too_much_to_remember_is_bound_all_the_same(tmp_path: Path) -> None:
    (case,) = planned(tmp_path, 'scenario: a\nvariables: {a: 1}\nsteps: [set: {b: "{{ a }}"}]\n')
    (step,) = case.scenario.steps
    long: list[JsonValue] = ["x" * MAX_REMEMBERED]
    one, other = (bind_step(step, Scope({"a": long}, {})) for _ in range(2))
    assert to_json(one.argument) == to_json(other.argument) == {"b": long}
    assert one is not other


def test_a_value_too_deep_to_remember_is_looked_into_all_the_same(tmp_path: Path) -> None:
    (case,) = planned(tmp_path, 'scenario: a\nvariables: {a: [1]}\nsteps: [set: {b: "{{ a | length }}"}]\n')
    (step,) = case.scenario.steps
    deep: JsonValue = []
    for _ in range(100_000):
        deep = [deep]
    assert to_json(bind_step(step, Scope({"a": deep}, {})).argument) == {"b": 1}


def test_a_mistake_of_several_cases_is_reported_once(tmp_path: Path) -> None:
    assert len(refusal(tmp_path, 'scenario: a\nmatrix: {f: [1, 2, 3]}\nsteps: [{flush: "{{ x }}"}]\n')) == 1


def test_a_step_that_will_not_run_may_hold_what_it_likes(tmp_path: Path) -> None:
    steps = '[{set: {a: 5}}, {flush: "{{ a }}", when: "{{ a != 5 }}"}]'
    assert planned(tmp_path, f"scenario: a\nsteps: {steps}\n")


def matrix_of(dimensions: int) -> str:
    rows = "".join(f"  d{number}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n" for number in range(dimensions))
    return f"scenario: a\nmatrix:\n{rows}steps: [launch]\n"


def test_a_matrix_of_too_many_is_refused_before_it_is_built(tmp_path: Path) -> None:
    (said,) = refusal(tmp_path, matrix_of(40))
    assert f"has {10**40} combinations, more than {MAX_CASES}" in said


def test_a_matrix_of_a_thousand_is_fine(tmp_path: Path) -> None:
    assert len(planned(tmp_path, matrix_of(3))) == 1000


def test_loops_within_loops_are_refused_once(tmp_path: Path) -> None:
    step = "flush: drive0"
    for number in range(15):
        step = f"for-each: {{v{number}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}}, steps: [{{{step}}}]"
    (said,) = refusal(tmp_path, f"scenario: a\nsteps: [{{{step}}}]\n")
    assert f"a.yaml:2:10: error: more than {MAX_STEPS} steps" in said


def test_the_budget_counts_all_cases(tmp_path: Path) -> None:
    loop = f"{{for-each: {{v: {list(range(100))}}}, steps: [launch]}}"
    (said,) = refusal(tmp_path, matrix_of(3).replace("[launch]", f"[{loop}]"))
    assert "counted over all cases" in said


def test_procedures_that_double_each_other_are_refused_once(tmp_path: Path) -> None:
    text = "scenario: a\nprocedures:\n  p0: {steps: [launch]}\n"
    text += "".join(f"  p{n}: {{steps: [{{call: p{n - 1}}}, {{call: p{n - 1}}}]}}\n" for n in range(1, 41))
    (said,) = refusal(tmp_path, f"{text}steps: [{{call: p40}}]\n")
    assert f"more than {MAX_STEPS} steps" in said


def test_doubling_procedures_that_nobody_calls_are_refused_too(tmp_path: Path) -> None:
    text = "scenario: a\nprocedures:\n  p0: {steps: [launch]}\n"
    text += "".join(f"  p{n}: {{steps: [{{call: p{n - 1}}}, {{call: p{n - 1}}}]}}\n" for n in range(1, 41))
    (said,) = refusal(tmp_path, f"{text}steps: [launch]\n")
    assert f"more than {MAX_STEPS} steps" in said


def test_a_procedure_that_nobody_calls_is_checked(tmp_path: Path) -> None:
    text = 'scenario: a\nprocedures: {p: {steps: [{flush: "{{ x }}"}], returns: "{{ y }}"}}\nsteps: [launch]\n'
    assert len(refusal(tmp_path, text)) == 2
