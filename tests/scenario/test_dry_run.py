"""Dry runs of every case, and their limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_scenarios.scenario.dry_run import MAX_STEPS

from tests.scenario.planning import make_matrix_text, plan_text, refuse_text
from tests.support.scenarios import RunSteps


def make_doubling_text(steps: str) -> str:
    """Return a scenario with 41 procedures, each of which calls the one before it twice."""
    text = "scenario: a\nprocedures:\n  p0: {steps: [launch]}\n"
    text += "".join(f"  p{n}: {{steps: [{{call: p{n - 1}}}, {{call: p{n - 1}}}]}}\n" for n in range(1, 41))
    return f"{text}steps: {steps}\n"


def test_every_case_is_visited(tmp_path: Path) -> None:
    text = 'scenario: a\nmatrix: {f: [raw, nosuch, strange]}\nsteps: [{create-image: {file: a, format: "{{ f }}"}}]\n'
    found = refuse_text(tmp_path, text)
    assert len(found) == 2
    assert '"nosuch"' in found[0]


def test_a_mistake_in_several_cases_is_reported_once(tmp_path: Path) -> None:
    assert len(refuse_text(tmp_path, 'scenario: a\nmatrix: {f: [1, 2, 3]}\nsteps: [{flush: "{{ x }}"}]\n')) == 1


def test_a_step_that_when_leaves_out_is_not_checked(tmp_path: Path) -> None:
    steps = '[{set: {a: 5}}, {flush: "{{ a }}", when: "{{ a != 5 }}"}]'
    assert plan_text(tmp_path, f"scenario: a\nsteps: {steps}\n")


@pytest.mark.parametrize(
    "modifier",
    [
        'error: {desc: "{{ why[a] }}"}',
        'expect: "{{ why[a] }}"',
        'timeout: "{{ why[a] }}"',
        'vm: "{{ why[a] }}"',
    ],
)
def test_a_modifier_of_a_step_that_when_leaves_out_is_not_evaluated(tmp_path: Path, modifier: str) -> None:
    step = f"""{{qmp: query-status, {modifier}, when: "{{{{ a == 'x' }}}}"}}"""
    head = "scenario: a\nmatrix: {a: [x, y]}\n"
    assert plan_text(tmp_path, f"{head}steps: [set: {{why: {{x: '1'}}}}, {step}]\n")
    (message,) = refuse_text(tmp_path, f"{head}steps: [set: {{why: {{x: '1'}}}}, {step.replace('==', '!=')}]\n")
    assert "'y'" in message


def test_nested_loops_of_too_many_steps_are_refused_once(tmp_path: Path) -> None:
    step = "flush: drive0"
    for number in range(15):
        step = f"for-each: {{v{number}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}}, steps: [{{{step}}}]"
    (message,) = refuse_text(tmp_path, f"scenario: a\nsteps: [{{{step}}}]\n")
    assert f"a.yaml:2:10: error: more than {MAX_STEPS} steps" in message


def test_the_limit_counts_the_steps_of_all_cases(tmp_path: Path) -> None:
    loop = f"{{for-each: {{v: {list(range(100))}}}, steps: [launch]}}"
    (message,) = refuse_text(tmp_path, make_matrix_text(3).replace("[launch]", f"[{loop}]"))
    assert "counting all cases" in message


def test_procedures_that_double_each_other_are_refused_once(tmp_path: Path) -> None:
    (message,) = refuse_text(tmp_path, make_doubling_text("[{call: p40}]"))
    assert f"more than {MAX_STEPS} steps" in message


@pytest.mark.slow
def test_doubling_procedures_are_refused_although_no_step_calls_them(tmp_path: Path) -> None:
    (message,) = refuse_text(tmp_path, make_doubling_text("[launch]"))
    assert f"more than {MAX_STEPS} steps" in message


def test_a_procedure_that_no_step_calls_is_checked(tmp_path: Path) -> None:
    text = 'scenario: a\nprocedures: {p: {steps: [{flush: "{{ x }}"}], returns: "{{ y }}"}}\nsteps: [launch]\n'
    assert len(refuse_text(tmp_path, text)) == 2


def test_a_case_runs_although_the_error_of_a_left_out_step_has_no_value(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - launch
        - set: {reasons: {missing: nosuch}}
        - qmp: {execute: blockdev-del, arguments: {node-name: nosuch}}
          when: "{{ node == 'missing' }}"
          error: {class: GenericError, desc: {$contains: "{{ reasons[node] }}"}}
        - shutdown
        """,
        head="matrix: {node: [missing, present]}",
    )
    assert (run.status, [point.ok for point in run.points]) == (0, [True, True])
