"""The verb `call`."""

from __future__ import annotations

import pytest
from run_scenarios.core.errors import ScenarioError
from run_scenarios.core.nodes import JsonValue
from run_scenarios.core.source import Source, Span
from run_scenarios.steps.call import PARAMETER_TYPES, check_type

from tests.support.scenarios import RunSteps

HEAD = """
procedures:
  make:
    parameters:
      file: string
      size: {type: size, default: 64k}
      tries: {type: integer, default: 1}
    steps:
      - create-image: {file: "{{ file }}", size: "{{ size }}"}
      - image-info: "{{ file }}"
        save: info
    returns: {bytes: "{{ info['virtual-size'] }}", tries: "{{ tries }}"}
"""
LOOK = """
  look:
    steps:
      - assert: "{{ outside == 1 }}"
"""


def test_arguments_and_defaults_are_bound_and_the_result_is_returned(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make
          with: {file: a.raw}
          save: made
        - assert: {value: "{{ made }}", expect: {$exact: {bytes: 65536, tries: 1}}}
        - call: make
          with: {file: b.raw, size: 1M, tries: 2}
          expect: {bytes: 1048576, tries: 2}
        - image-info: b.raw
          expect: {virtual-size: 1048576}
        """,
        head=HEAD,
    )
    assert run.status == 0, run.stderr


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("call: make", "procedure 'make' needs the argument 'file'"),
        ("{call: make, with: {file: a.raw, sise: 1M}}", "procedure 'make' has no parameter 'sise'"),
        ("{call: make, with: {file: 1}}", "'file' of procedure 'make' must be of type string, not an integer"),
        ("{call: make, with: {file: a.raw, tries: true}}", "must be of type integer, not a boolean"),
        ("{call: make, with: {file: a.raw, tries: '1'}}", "must be of type integer, not a string"),
        ("{call: make, with: {file: a.raw, size: much}}", "'size' of procedure 'make' must be a size such as"),
        ("{call: make, with: [a.raw]}", "'with' must be a mapping, not a list"),
        ("call: mak", "there is no procedure 'mak'"),
        ('call: "{{ name }}"', "'call' takes a plain name, not an expression"),
        ("call: look", "'outside' is not set"),
    ],
)
def test_a_wrong_call_is_found_before_anything_runs(run_steps: RunSteps, step: str, said: str) -> None:
    run = run_steps(f"- set: {{outside: 1}}\n- {step}", head=HEAD + (LOOK.strip("\n") if "look" in step else ""))
    assert run.status == 2
    assert said in run.stderr


def test_a_wrong_type_that_only_the_run_shows_is_a_mistake(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - launch
        - qmp: query-status
          save: status
        - call: make
          with: {file: "{{ status.running }}"}
        """,
        head=HEAD,
    )
    assert run.status == 2
    assert run.message == "step 3 (call): 'file' of procedure 'make' must be of type string, not a boolean"


def test_arguments_that_only_the_run_knows_are_one_expression(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - qemu-img: [--version]
          save: said
        - set: {arguments: {file: "{{ 'a.raw' if said.stderr == '' else 'b.raw' }}"}}
        - call: make
          with: "{{ arguments }}"
        - image-info: a.raw
        """,
        head=HEAD,
    )
    assert run.status == 0, run.stderr


def test_what_a_procedure_sets_is_not_seen_outside(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make
          with: {file: a.raw}
        - assert: "{{ info == {} }}"
        """,
        head=HEAD,
    )
    assert run.status == 2
    assert "'info' is not set" in run.stderr


def test_a_failure_says_where_it_was_called_from(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: make
          with: {file: nosuch/a.raw}
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.startswith("step 2 (create-image): ")
    assert [each["line"] for each in run.only.block["called_from"]] == [15]


GOOD: list[tuple[str, list[JsonValue]]] = [
    ("string", ["", "x"]),
    ("integer", [0, -1]),
    ("number", [0, 1.5]),
    ("boolean", [True, False]),
    ("size", [0, 512, "64k", "1.5M", "64KiB"]),
    ("list", [[], [1]]),
    ("mapping", [{}, {"a": 1}]),
    ("any", ["", 0, 1.5, True, [], {}, None]),
]
BAD: list[tuple[str, list[JsonValue]]] = [
    ("string", [0, None, True]),
    ("integer", ["0", 1.5, True]),
    ("number", ["0", True]),
    ("boolean", [0, "true"]),
    ("size", ["", "x", "64x", True, 1.5]),
    ("list", ["x", {}]),
    ("mapping", [[], "x"]),
]
SPAN = Span(Source("case.yaml", ""), 1, 1)


def test_every_parameter_type_is_tried() -> None:
    assert [kind for kind, _ in GOOD] == list(PARAMETER_TYPES)


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in GOOD for value in values])
def test_a_value_of_the_type_is_taken(kind: str, value: JsonValue) -> None:
    check_type(value, kind, SPAN, "it")


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in BAD for value in values])
def test_a_value_of_another_type_is_refused(kind: str, value: JsonValue) -> None:
    with pytest.raises(ScenarioError, match="it must be "):
        check_type(value, kind, SPAN, "it")


def test_everything_wrong_with_the_arguments_is_told_at_once(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: back-up
          with: {traget: full.qcow2, number: "3"}
        """,
        head="""
        procedures:
          back-up:
            parameters: {target: string, number: integer}
            steps:
              - create-image: {file: "{{ target }}", size: "{{ number }}"}
        """,
    )
    assert run.status == 2
    assert "has no parameter 'traget'" in run.stderr
    assert "did you mean 'target'?" in run.stderr
    assert "must be of type integer, not a string" in run.stderr
