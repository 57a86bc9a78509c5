"""The verb `for-each`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps


def test_the_steps_run_for_each_item_in_order(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - for-each: {node: [node0, node1]}
          steps:
            - qmp: {execute: blockdev-add, arguments: {driver: null-co, node-name: "{{ node }}"}}
        - qmp: query-named-block-nodes
          expect: {$unordered: [{node-name: node0}, {node-name: node1}]}
    """)
    assert run.status == 0, run.stderr


def test_a_list_may_be_computed_of_what_only_the_run_knows(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch: {blockdev: [{driver: null-co, node-name: node0}, {driver: null-co, node-name: node1}]}
        - qmp: query-named-block-nodes
          save: nodes
        - for-each: {node: "{{ nodes | map(attribute='node-name') | list }}"}
          steps:
            - qmp: {execute: blockdev-del, arguments: {node-name: "{{ node }}"}}
        - qmp: query-named-block-nodes
          expect: []
    """)
    assert run.status == 0, run.stderr


def test_items_keep_their_types(run_steps: RunSteps) -> None:
    run = run_steps("""
        - for-each: {item: ["1", 1, true, {a: [1]}]}
          steps:
            - assert: {value: "{{ item }}", expect: {$one-of: ["1", 1, true, {$exact: {a: [1]}}]}}
            - assert: "{{ item != 2 }}"
        - for-each: {item: ["1"]}
          steps:
            - assert: {value: "{{ item }}", expect: 1}
    """)
    assert run.status == 1
    assert run.message.endswith('(assert): the value: expected 1 (integer), found "1" (string)')


def test_the_variables_of_a_block_are_not_seen_outside(run_steps: RunSteps) -> None:
    for name in ("node", "inner", "saved"):
        run = run_steps(f"""
            - for-each: {{node: [node0]}}
              steps:
                - set: {{inner: 1}}
                - qemu-img: [--version]
                  save: saved
                - assert: "{{{{ node == 'node0' and inner == 1 and saved.stderr == '' }}}}"
            - set: {{outer: "{{{{ {name} }}}}"}}
        """)
        assert run.status == 2
        assert run.stderr.count("error:") == 1
        assert f"case.yaml:10:22: error: '{name}' is not set" in run.stderr


def test_a_block_sees_what_was_set_outside_and_does_not_change_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - set: {outer: 1}
        - for-each: {item: [2]}
          steps:
            - assert: "{{ outer == 1 }}"
            - set: {outer: "{{ item }}"}
            - assert: "{{ outer == 2 }}"
        - assert: "{{ outer == 1 }}"
    """)
    assert run.status == 0, run.stderr


def test_a_failure_stops_it_and_its_place_is_said(run_steps: RunSteps) -> None:
    run = run_steps("""
        - for-each: {item: [1, 2, 3]}
          steps:
            - name: the second is one too many
              assert: "{{ item < 2 }}"
    """)
    assert run.status == 1
    assert run.message == "step 3 (assert): the assertion is false"
    assert run.only.block["step"]["name"] == "the second is one too many"
    assert [each["line"] for each in run.only.block["called_from"]] == [4]


def test_what_is_no_list_or_no_variable_is_a_mistake(run_steps: RunSteps) -> None:
    run = run_steps("""
        - for-each: {item: 3}
          steps: [launch]
        - qemu-img: [--version]
          save: said
        - for-each: "{{ said }}"
          steps: [launch]
        - for-each: {item: [1]}
    """)
    assert run.status == 2
    assert "'item' must be a list, not an integer (3)" in run.stderr
    assert "'for-each' needs 'steps'" in run.stderr


def test_the_variable_must_be_known_before_the_run(run_steps: RunSteps) -> None:
    run = run_steps("""
        - qemu-img: [--version]
          save: said
        - for-each: "{{ said }}"
          steps: [launch]
    """)
    assert run.status == 2
    assert "case.yaml:6:15: error: the variable of 'for-each' must be known before the run" in run.stderr
