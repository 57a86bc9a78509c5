"""What is broken of an expected value, and what cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from run_scenarios.core.nodes import Entry as MappingEntry
from run_scenarios.core.nodes import ExpressionNode, JsonValue, Node, from_json, make_mapping, to_json
from run_scenarios.core.source import Source, Span
from run_scenarios.steps.mutations import NO_SUCH_VALUE, mutate_expectation, replace_text, wrap_expression
from run_scenarios.syntax.matchers import check_matcher, find_mismatches

HERE = Span(Source("a.yaml", "x"), 1, 1)
BROKEN: JsonValue = {"$exact": NO_SUCH_VALUE}


def node(value: JsonValue) -> Node:
    return from_json(value, HERE)


def broken(value: JsonValue) -> list[JsonValue]:
    """Return an expected value with one part broken after the other."""
    return [to_json(each) for _, each, _ in mutate_expectation(node(value))]


@pytest.mark.parametrize(
    ("expected", "parts"),
    [
        (1, [BROKEN]),
        ("x", [BROKEN]),
        ([], [BROKEN]),
        ([1, 2], [[BROKEN, 2], [1, BROKEN]]),
        ({"a": 1, "b": {"c": 2}}, [{"a": BROKEN, "b": {"c": 2}}, {"a": 1, "b": {"c": BROKEN}}]),
        ({"a": {"$ge": 1}}, [{"a": BROKEN}]),
        (
            {"$exact": {"a": 1, "b": [2]}},
            [{"$exact": {"a": NO_SUCH_VALUE, "b": [2]}}, {"$exact": {"a": 1, "b": [NO_SUCH_VALUE]}}],
        ),
        ({"$contains": {"a": 1}}, [{"$contains": {"a": BROKEN}}]),
        ({"$contains": "text"}, [BROKEN]),
        ({"$unordered": [1, 2]}, [{"$unordered": [BROKEN, 2]}, {"$unordered": [1, BROKEN]}]),
        ({"$one-of": [1, 2]}, [BROKEN]),
        ({"$not": {"a": 1}}, [BROKEN]),
        ({"a": {"$absent": True}}, [{"a": BROKEN}]),
    ],
)
def test_each_part_is_broken_by_itself(expected: JsonValue, parts: list[JsonValue]) -> None:
    assert broken(expected) == parts


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (1, 1),
        ([1, "x"], [1, "x"]),
        ({"a": 1, "b": {"$absent": True}}, {"a": 1, "c": 2}),
        ({"a": {"$any": True}}, {"a": None}),
        ({"$exact": {"a": [1]}}, {"a": [1]}),
        ({"$unordered": [1, {"$gt": 1}]}, [2, 1]),
        ({"$contains": {"a": 1}}, [{"a": 2}, {"a": 1}]),
        ({"$contains": "x"}, "axb"),
        ({"$length": {"$ge": 1}}, [0]),
        ({"$not": 1}, 2),
        ({"$ne": 1}, 2),
        ({"$one-of": [1, 2]}, 2),
        ({"$regex": "^a"}, "abc"),
    ],
)
def test_what_matches_does_not_match_once_it_is_broken(expected: JsonValue, actual: Any) -> None:
    assert not find_mismatches(node(expected), actual)
    for _, each, _ in mutate_expectation(node(expected)):
        check_matcher(each)
        assert find_mismatches(each, actual)


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        ({"$any": True}, "it accepts any value"),
        ({}, "it accepts any mapping"),
        ({"a": {}}, "it accepts any mapping"),
        ({"a": {"$ge": 0}}, "it accepts any number"),
        ({"$contains": ""}, "it accepts any text"),
        ({"$regex": ".*"}, "it accepts any text"),
        ({"$regex": ""}, "it accepts any text"),
        ({"$one-of": [True, False]}, "it accepts any boolean"),
        ({"$length": {"$ge": 0}}, "it accepts any text"),
        ({"a": {"$any": True}}, ""),
        ({"a": {"b": {"$absent": True}}}, ""),
        ({"$not": {"a": 1}}, ""),
        ({"$ne": "x"}, ""),
        ({"$one-of": [{"a": {"$absent": True}}, 1]}, ""),
        ({"$gt": 0}, ""),
        ({"$le": 5}, ""),
        ({"$length": 3}, ""),
        ([], ""),
        ("", ""),
    ],
)
def test_what_accepts_everything_cannot_fail(expected: JsonValue, why: str) -> None:
    assert [cannot_fail for _, _, cannot_fail in mutate_expectation(node(expected))] == [why]


@pytest.mark.parametrize("operator", ["$unordered", "$exact", "$contains"])
def test_an_operand_that_is_not_known_is_broken_as_a_whole(operator: str) -> None:
    unknown = make_mapping(HERE, (MappingEntry(HERE, operator, ExpressionNode(HERE, "{{ names }}")),))
    ((_, each, cannot_fail),) = mutate_expectation(unknown)
    assert to_json(each) in (BROKEN, {"$exact": NO_SUCH_VALUE})
    assert not cannot_fail


@pytest.mark.parametrize("text", ["{{ x + 1 }}", "{{- x + 1 -}}", " {{x + 1}} "])
def test_an_expression_is_computed_on(text: str) -> None:
    assert wrap_expression(ExpressionNode(HERE, text), "255 - %s").text == "{{ 255 - ( x + 1 ) }}".replace(
        "( x + 1 )", f"({text.strip()[2:-2].strip('-')})"
    )


def test_another_text_is_chosen_before_the_run_or_in_it() -> None:
    assert to_json(replace_text(node("a"), "a", "b")) == "b"
    assert to_json(replace_text(node("b"), "a", "b")) == "a"
    chosen = replace_text(ExpressionNode(HERE, "{{ x }}"), "a", "b")
    assert isinstance(chosen, ExpressionNode)
    assert chosen.text == "{{ 'b' if ( x ) == 'a' else 'a' }}"
