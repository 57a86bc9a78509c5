"""Every operator, matching and not, and the strictness of types."""

from __future__ import annotations

from typing import Any

import pytest
from run_scenarios.core.errors import ScenarioError, StepFailed
from run_scenarios.core.nodes import Node
from run_scenarios.core.source import Source
from run_scenarios.syntax.matchers import (
    MISSING,
    OPERATORS,
    check_matcher,
    describe_value,
    find_mismatches,
    is_identical,
    require_match,
)
from run_scenarios.syntax.yaml_loader import load_text


def matcher(text: str) -> Node:
    node = load_text(Source("a.yaml", f"[{text}]"))
    return node.items[0]  # type: ignore[union-attr]


MATCHES: list[tuple[str, Any]] = [
    ("1", 1),
    ("1.5", 1.5),
    ("on", "on"),
    ("null", None),
    ("{}", {"a": 1}),
    ("{a: 1}", {"a": 1, "b": 2}),
    ("{a: {b: []}}", {"a": {"b": [], "c": 1}}),
    ("[1, {a: 1}]", [1, {"a": 1, "b": 2}]),
    ("{$regex: '^a.c$'}", "abc"),
    ("{$regex: b}", "abc"),
    ("{$contains: b}", "abc"),
    ("{$contains: {a: 1}}", [{"a": 2}, {"a": 1, "b": 1}]),
    ("{$contains: {$gt: 5}}", [1, 6]),
    ("{$gt: 1}", 2),
    ("{$gt: 1}", 1.5),
    ("{$ge: 1}", 1),
    ("{$lt: 1}", 0),
    ("{$le: 1}", 1),
    ("{$ne: 1}", True),
    ("{$ne: 1}", 2),
    ("{$any: true}", None),
    ("{a: {$absent: true}}", {}),
    ("{$length: 2}", [1, 2]),
    ("{$length: 3}", "abc"),
    ("{$length: {$lt: 2}}", {"a": 1}),
    ("{$unordered: [1, 2]}", [2, 1]),
    ("{$unordered: [{a: 1}, 1]}", [1, {"a": 1, "b": 1}]),
    ("{$unordered: []}", []),
    ("{$exact: {a: {b: 1}}}", {"a": {"b": 1}}),
    ("{$not: {a: 1}}", {"a": 2}),
    ("{$not: {$regex: x}}", "abc"),
    ("{$one-of: [1, {$gt: 5}]}", 6),
]
DIFFERS: list[tuple[str, Any, str]] = [
    ("1", True, "expected 1 (integer), found true (boolean)"),
    ("1", 1.0, "expected 1 (integer), found 1.0 (number)"),
    ("1", "1", 'expected 1 (integer), found "1" (string)'),
    ("true", 1, "expected true (boolean), found 1 (integer)"),
    ("null", False, "expected null, found false (boolean)"),
    ("{a: 1}", {}, "a: expected 1 (integer), found nothing (no such key)"),
    ("{a: {b: [1, 2]}}", {"a": {"b": [1, 3]}}, "a.b[1]: expected 2 (integer), found 3 (integer)"),
    ("{a: 1}", [], "found []"),
    ("[1]", [1, 2], "found 2"),
    ("[1]", {"a": 1}, 'found {"a": 1}'),
    ("{$regex: ^b}", "abc", 'expected text matching "^b"'),
    ("{$regex: '1'}", 1, "found 1 (integer)"),
    ("{$contains: x}", "abc", 'expected text containing "x"'),
    ("{$contains: 1}", "1", "expected text containing 1"),
    ("{$contains: x}", ["y"], 'expected a list containing "x"'),
    ("{$contains: x}", {"x": 1}, 'found {"x": 1}'),
    ("{$gt: 1}", 1, "expected greater than 1"),
    ("{$gt: 0}", True, "found true (boolean)"),
    ("{$ge: 1}", 0, "expected at least 1"),
    ("{$lt: 1}", 1, "expected less than 1"),
    ("{$lt: 1}", "0", 'found "0" (string)'),
    ("{$le: 1}", 2, "expected at most 1"),
    ("{$ne: 1}", 1, "expected anything but 1"),
    ("{a: {$any: true}}", {}, "found nothing (no such key)"),
    ("{a: {$absent: true}}", {"a": None}, "a: expected no such key, found null"),
    ("{$length: 2}", [1], "length of the value: expected 2 (integer), found 1 (integer)"),
    ("{$length: 2}", 5, "expected something with a length, found 5 (integer)"),
    ("{$unordered: [1, 2]}", [1, 1], "expected an item 2"),
    ("{$unordered: [1]}", [1, 1], "expected no further items, found [1]"),
    ("{$unordered: [1]}", 1, "expected a list, found 1 (integer)"),
    ("{$exact: {a: 1}}", {"a": 1, "b": 2}, "expected exactly"),
    ("{$exact: {a: {b: 1}}}", {"a": {"b": 1, "c": 1}}, "expected exactly"),
    ("{$exact: 1}", 1.0, "expected exactly 1"),
    ("{$not: {a: 1}}", {"a": 1, "b": 1}, "expected anything that does not match"),
    ("{$one-of: [1, 2]}", 3, "expected one of [1, 2]"),
]


@pytest.mark.parametrize(("expected", "actual"), MATCHES)
def test_what_matches(expected: str, actual: object) -> None:
    node = matcher(expected)
    check_matcher(node)
    assert find_mismatches(node, actual) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(("expected", "actual", "said"), DIFFERS)
def test_what_differs(expected: str, actual: object, said: str) -> None:
    node = matcher(expected)
    check_matcher(node)
    assert said in "\n".join(map(str, find_mismatches(node, actual)))  # type: ignore[arg-type]


def test_every_operator_is_tried_both_ways() -> None:
    for name in OPERATORS:
        assert any(name in expected for expected, _ in MATCHES), name
        assert any(name in expected for expected, _, _ in DIFFERS), name


def test_every_difference_is_found() -> None:
    found = find_mismatches(matcher("{a: 1, b: [2, 3], c: {d: 4}}"), {"a": 0, "b": [2, 0], "c": {}})
    assert [each.path for each in found] == ["a", "b[1]", "c.d"]


def test_a_missing_value_matches_nothing_but_absence() -> None:
    assert find_mismatches(matcher("{$absent: true}"), MISSING) == []
    for text in ("1", "null", "{}", "[]", "{$any: true}", "{$regex: ''}", "{$gt: 0}", "{$length: {$ge: 0}}"):
        assert find_mismatches(matcher(text), MISSING), text


def test_a_failure_points_at_the_first_difference() -> None:
    with pytest.raises(StepFailed) as caught:
        require_match(matcher("{a: 1, b: 2}"), {"a": 1, "b": 3}, "the reply")
    assert caught.value.message == "the reply: b: expected 2 (integer), found 3 (integer)"
    assert str(caught.value.span) == "a.yaml:1:12"


@pytest.mark.parametrize(
    "text",
    [
        "{$nosuch: 1}",
        "{$regex: 1}",
        "{$regex: '('}",
        "{$gt: x}",
        "{$gt: true}",
        "{$any: false}",
        "{$absent: 1}",
        "{$one-of: []}",
        "{$one-of: 1}",
        "{$unordered: {a: 1}}",
        "{$length: -1}",
        "{$length: 1.5}",
        "{$length: {a: 1}}",
        "{$any: true, a: 1}",
        "{a: 1, $any: true}",
        "[{a: {$contains: {$regx: x}}}]",
        "{$exact: [{a: {$gt: 1}}]}",
        "{$ne: {$gt: 1}}",
        "{$not: {$gt: x}}",
    ],
)
def test_a_wrong_matcher_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError):
        check_matcher(matcher(text))


def test_an_operand_that_is_not_known_yet_is_not_refused() -> None:
    check_matcher(matcher('{$gt: "{{ x }}"}'))


def test_same_is_strict_however_deep() -> None:
    assert is_identical({"a": [1, None]}, {"a": [1, None]})
    assert not is_identical({"a": [1]}, {"a": [True]})
    assert not is_identical({"a": 1}, {"a": 1, "b": 1})
    assert not is_identical([1], [1, 1])


def test_a_long_value_is_cut() -> None:
    assert describe_value("x" * 1000).endswith("… (1002 characters) (string)")
