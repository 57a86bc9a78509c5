"""The verb `assert`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_what_is_true_passes(run_steps: RunSteps) -> None:
    run = run_steps("""
        - set: {sizes: [65536, 131072]}
        - assert: "{{ sizes | sum == '192k' | bytes }}"
        - assert: {value: "{{ sizes }}", expect: [{$gt: 1}, 131072]}
    """)
    assert run.status == 0, run.stderr


def test_what_is_false_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - set: {size: 65536}
        - assert: "{{ size == '65536' }}"
    """)
    assert run.status == 1
    assert run.message == "step 2 (assert): the assertion is false"
    assert (run.only.block["wanted"], run.only.block["found"]) == ("true", "false (boolean)")


def test_a_value_that_does_not_match_is_shown(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: query-status
          save: status
        - assert: {value: "{{ status }}", expect: {running: false, status: running}}
    """)
    assert run.status == 1
    assert run.message == ("step 3 (assert): the value: running: expected false (boolean), found true (boolean)")


def test_what_is_neither_true_nor_false_is_a_mistake(run_steps: RunSteps) -> None:
    run = run_steps("""
        - set: {size: 65536}
        - assert: "{{ size }}"
    """)
    assert run.status == 2
    assert "'assert' must be a boolean" in run.stderr


def test_a_value_that_a_reply_lacks_fails_the_case(run_steps: RunSteps) -> None:
    """The scenario is valid: what QEMU returned is not what it expects."""
    steps = """
        - launch
        - qmp: query-named-block-nodes
          save: nodes
        - assert: "{{ nodes[0].ro }}"
    """
    run = run_steps(steps)
    assert run.status == 1
    assert run.message.startswith("step 3 (assert): the expression fails: ")
    known = run_steps(steps, head="expected-failure: there are no nodes")
    assert known.status == 0
    assert known.points[0].directive == "TODO"
