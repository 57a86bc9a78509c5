"""Expected values that can never match, and those that always do, are reported at their place."""

from __future__ import annotations

import pytest
from run_scenarios.qmp.expectation_checker import check_expected
from run_scenarios.qmp.types import Array, Builtin, Enum, Member, Object, Type, TypeTable

from tests.qmp.excerpt import node

TYPES: dict[str, Type] = {
    "str": Builtin("string"),
    "int": Builtin("int"),
    "bool": Builtin("boolean"),
    "any": Builtin("value"),
    "format": Enum(dict.fromkeys(("qcow2", "raw"), frozenset())),
    "items": Array("item"),
    "item": Object({"name": Member("str"), "size": Member("int", optional=True)}),
    "info": Object(
        {
            "format": Member("format"),
            "size": Member("int"),
            "name": Member("str", optional=True),
            "flag": Member("bool", optional=True),
            "items": Member("items", optional=True),
            "more": Member("any"),
            "new": Member("int", optional=True, since="9.9"),
        }
    ),
}


def find(expected: str) -> list[str]:
    """Return the place and message of each finding in an expected result."""
    table = TypeTable("tool", None, TYPES)
    return [
        f"{each.span.column}: {each.message}"
        for each in check_expected(node(expected), "info", "the result of 'info'", table)
    ]


@pytest.mark.parametrize(
    "expected",
    [
        "{size: {$ne: 5}, format: {$not: raw}, more: {$ne: a}}",
        "{size: {$gt: 5}, name: {$regex: a}, more: {$regex: a}}",
        "{name: {$absent: true}, items: {$not: {$absent: true}}, more: {$any: true}}",
        "{size: {$one-of: [1, {$ge: 5}]}, name: {$one-of: [a, {$absent: true}]}}",
        "{items: {$contains: {name: a}}, name: {$contains: b}, format: {$contains: cow}}",
        "{items: {$length: 2}, name: {$length: {$gt: 1}}, more: {$length: 2}}",
        "{items: {$unordered: [{name: a}, {size: 5}]}}",
        "{items: {$exact: [{name: a}]}, more: {$exact: {anything: 1}}}",
        "{flag: {$ne: true}, items: []}",
    ],
)
def test_a_possible_expectation_is_accepted(expected: str) -> None:
    assert find(expected) == []


@pytest.mark.parametrize(
    ("expected", "finding"),
    [
        ('{size: {$ne: "5"}}', "14: key 'size' of the result of 'info' must be an integer, not a string"),
        ('{size: {$not: "5"}}', "15: key 'size' of the result of 'info' is an integer, not a string"),
        ('{size: {$one-of: [5, "6"]}}', "22: key 'size' of the result of 'info' is an integer, not a string"),
        ('{size: {$exact: "5"}}', "17: key 'size' of the result of 'info' must be an integer, not a string"),
        ("{format: {$ne: qcow}}", "16: key 'format' of the result of 'info' cannot be 'qcow'"),
        ("{format: {$gt: 5}}", "11: '$gt' never matches key 'format' of the result of 'info', which is a string"),
        ("{size: {$regex: 5.*}}", "9: '$regex' never matches key 'size' of the result of 'info', which is an integer"),
        ("{flag: {$le: 5}}", "9: '$le' never matches key 'flag' of the result of 'info', which is a boolean"),
        ("{size: {$length: 5}}", "9: '$length' never matches key 'size' of the result of 'info', which is an integer"),
        (
            "{name: {$unordered: []}}",
            "9: '$unordered' never matches key 'name' of the result of 'info', which is a string",
        ),
        (
            "{size: {$contains: 5}}",
            "9: '$contains' never matches key 'size' of the result of 'info', which is an integer",
        ),
        (
            "{name: {$contains: 5}}",
            "20: '$contains' never matches: a part of key 'name' of the result of 'info' is a string",
        ),
        ("{format: {$contains: cov}}", "22: no value of key 'format' of the result of 'info' contains 'cov'"),
        ("{size: {$absent: true}}", "9: '$absent' never matches: key 'size' of the result of 'info' is always present"),
        (
            "{size: {$not: {$absent: true}}}",
            "16: '$absent' never matches: key 'size' of the result of 'info' is always present",
        ),
        ("{$absent: true}", "2: '$absent' never matches: the result of 'info' is always present"),
        ("{sizes: {$absent: true}}", "2: the result of 'info' has no key 'sizes'"),
        ("{$not: {sizes: 5}}", "9: the result of 'info' has no key 'sizes'"),
        ("{$not: {items: {$contains: {nam: a}}}}", "29: the result of 'info' has no key 'items[].nam'"),
        ("{items: {$ne: [{size: 5}]}}", "16: the result of 'info' needs the key 'items[0].name'"),
        (
            "{items: {$length: {$ne: a}}}",
            "25: the length of key 'items' of the result of 'info' must be an integer, not a string",
        ),
        (
            "{items: [{$absent: true}]}",
            "11: '$absent' never matches: key 'items[0]' of the result of 'info' is always present",
        ),
        ("{new: 5}", "2: the result of 'info' has no key 'new' yet"),
    ],
)
def test_an_impossible_expectation_is_reported_at_its_place(expected: str, finding: str) -> None:
    assert find(expected) == [finding]
