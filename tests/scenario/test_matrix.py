"""Expanding a matrix into cases."""

from __future__ import annotations

from pathlib import Path

from run_scenarios.scenario.matrix import MAX_CASES

from tests.scenario.planning import make_matrix_text, plan_text, refuse_text


def test_a_file_without_a_matrix_is_one_case(tmp_path: Path) -> None:
    (case,) = plan_text(tmp_path, "scenario: a\nsteps: [launch]\n")
    assert case.label == ""
    assert (case.name(), case.selector) == ("a", "a.yaml")


def test_a_matrix_is_its_product_minus_excluded_plus_included_combinations(tmp_path: Path) -> None:
    matrix = "{b: [1, 2], a: [x, true], exclude: [{a: true, b: 2}], include: [{a: y, b: 3, because: so}]}"
    cases = plan_text(tmp_path, f"scenario: a\nmatrix: {matrix}\nsteps: [launch]\n")
    assert [case.label for case in cases] == ["a=x,b=1", "a=true,b=1", "a=x,b=2", "a=y,b=3"]
    assert cases[1].dimensions == {"a": True, "b": 1}
    assert [case.number for case in cases] == [0, 1, 2, 3]
    assert (cases[-1].name("on=x"), cases[-1].selector) == ("a[a=y,b=3,on=x]", "a.yaml::a=y,b=3")


def test_exclude_compares_types(tmp_path: Path) -> None:
    text = "scenario: a\nmatrix: {a: [1, true], exclude: [{a: true}]}\nsteps: [launch]\n"
    assert len(plan_text(tmp_path, text)) == 1


def test_too_many_combinations_are_refused_before_they_are_expanded(tmp_path: Path) -> None:
    (message,) = refuse_text(tmp_path, make_matrix_text(40))
    assert f"has {10**40} combinations, more than {MAX_CASES}" in message


def test_a_thousand_combinations_are_allowed(tmp_path: Path) -> None:
    assert len(plan_text(tmp_path, make_matrix_text(3))) == 1000
