"""What a schema refuses is said in the author's words, at the exact place."""

from __future__ import annotations

from typing import Any

import pytest

from runner.errors import Source
from runner.load import load_text
from runner.schema import local_problem, problems
from runner.steps.shapes import BYTE, DURATION_SCHEMA, FILE, IMAGE, NOTHING, SIZE, list_of, one_of, record


def found(text: str, schema: dict[str, Any], *, confined: bool = True) -> list[str]:
    node = load_text(Source("a.yaml", text))
    return [each.render() for each in problems(node, schema, "the thing", confined=confined)]


THING = record(["file", "byte"], file=FILE, byte=BYTE, size=SIZE, kind=one_of("one", "two"), list=list_of(BYTE))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{byte: 1}", "a.yaml:1:1: error: the thing needs 'file'"),
        ("{file: a, byt: 1}", "a.yaml:1:11: error: unknown key 'byt' in the thing"),
        ("{file: a, byte: 256}", "a.yaml:1:17: error: 'byte' must be at most 255"),
        ("{file: a, byte: '1'}", "a.yaml:1:17: error: 'byte' must be an integer, not a string (\"1\")"),
        ("{file: a, byte: [1]}", "a.yaml:1:11: error: 'byte' must be an integer, not a list"),
        ("{file: a, byte: }", "a.yaml:1:11: error: 'byte' must be an integer, not null"),
        ("{file: a, byte: true}", "a.yaml:1:17: error: 'byte' must be an integer, not a boolean (true)"),
        ("{file: a, byte: 1, size: big}", "a.yaml:1:26: error: 'size' must be a size such as 512, 64k, 1M or 64KiB"),
        ("{file: a, byte: 1, kind: tow}", "did you mean 'two'?"),
        ("{file: a, byte: 1, kind: 5}", "'kind' must be a string, not an integer (5)"),
        ("{file: a, byte: 1, list: []}", "'list' must not be empty"),
        ("{file: a, byte: 1, list: [1, 300]}", "a.yaml:1:30: error: item 2 of 'list' must be at most 255"),
        ("{file: ../a, byte: 1}", "a.yaml:1:8: error: '../a' leads out of the case's directory"),
        ("{file: -a, byte: 1}", "write './-a'"),
    ],
)
def test_one_mistake_is_one_message(text: str, said: str) -> None:
    (message,) = found(text, THING)
    assert said in message


def test_all_mistakes_are_found() -> None:
    assert len(found("{file: /a, byte: 300, size: -1, x: 1}", THING)) == 4


def test_what_is_not_known_yet_is_not_refused() -> None:
    assert found('{file: "{{ a }}", byte: "{{ b }}", size: "{{ c }}", kind: "{{ d }}", list: "{{ e }}"}', THING) == []
    assert found('{file: a, byte: 1, list: ["{{ a }}", 300]}', THING) != []


def test_a_choice_is_explained_by_the_branch_that_was_meant() -> None:
    assert "unknown key 'fromat' in 'the thing'" not in found("{file: a, fromat: raw}", IMAGE)[0]
    assert "did you mean 'format'?" in found("{file: a, fromat: raw}", IMAGE)[0]
    assert "must be a string or a mapping, not a list" in found("[a]", IMAGE)[0]


def test_no_argument() -> None:
    assert "the thing takes no argument" in found("{a: 1}", NOTHING)[0]


@pytest.mark.parametrize("text", ["0", "-1", "0s", "0.0ms", "1h", "10 sec", "''", "true"])
def test_what_is_no_duration(text: str) -> None:
    assert "must be a duration such as" in found(f"- {text}", list_of(DURATION_SCHEMA))[0]


def test_thousands_of_unknown_keys_are_not_all_explained() -> None:
    assert len(found("\n".join(f"k{number}: 1" for number in range(5000)), record([], a=BYTE))) == 20


@pytest.mark.parametrize("name", ["/a", "../a", "a/../../b", "..", "nbd:x", "json:{}", "file:a", "a+b:c", "//a"])
def test_a_name_that_leads_outside(name: str) -> None:
    assert local_problem(name)


@pytest.mark.parametrize("name", ["a", "./a", "./nbd:a", "a/b", "..a", "a..", "a/nbd:x", "ä ö"])
def test_a_name_that_stays_inside(name: str) -> None:
    assert not local_problem(name)


def test_a_scenario_may_allow_outside_paths_but_not_options() -> None:
    assert found("{file: /a, byte: 1}", THING, confined=False) == []
    assert found("{file: -a, byte: 1}", THING, confined=False) != []
