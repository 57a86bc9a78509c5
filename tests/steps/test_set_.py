"""The verb `set`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_variables_keep_their_types_and_may_be_computed(run_steps: RunSteps) -> None:
    run = run_steps("""
        - set: {text: "78", number: 78, list: [1, "{{ 1 + 1 }}"], size: "{{ '64k' | bytes }}"}
        - assert: {value: "{{ text }}", expect: "78"}
        - assert: {value: "{{ number }}", expect: 78}
        - assert: {value: "{{ list }}", expect: [1, 2]}
        - set: {size: "{{ size * 2 }}"}
        - assert: {value: "{{ size }}", expect: 131072}
    """)
    assert run.status == 0, run.stderr


def test_a_variable_may_hold_what_only_the_run_knows(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: query-status
          save: status
        - set: {running: "{{ status.running }}"}
        - assert: "{{ running }}"
    """)
    assert run.status == 0, run.stderr


def test_a_step_is_left_out_unless_its_condition_holds(run_steps: RunSteps) -> None:
    run = run_steps("""
        - set: {value: 1}
        - set: {value: 2}
          when: "{{ value == 2 }}"
        - assert: "{{ value == 1 }}"
        - set: {value: 3}
          when: "{{ value == 1 }}"
        - assert: "{{ value == 1 }}"
    """)
    assert run.status == 1
    assert run.message == "step 5 (assert): the assertion is false"


def test_the_names_must_be_known_before_the_run(run_steps: RunSteps) -> None:
    run = run_steps("""
        - qemu-img: [--version]
          save: said
        - set: "{{ said }}"
    """)
    assert run.status == 2
    assert "case.yaml:6:10: error: the variables of 'set' must be known before the run" in run.stderr


def test_a_variable_that_was_not_set_is_a_mistake(run_steps: RunSteps) -> None:
    run = run_steps("""
        - set: {granularity: 1}
        - assert: "{{ granularty == 1 }}"
    """)
    assert run.status == 2
    assert "'granularty' is not set" in run.stderr
    assert "did you mean 'granularity'?" in run.stderr
