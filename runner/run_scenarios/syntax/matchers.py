"""Match actual values against expected values.

A mapping matches any mapping that has its keys, a list must match item by item, and a scalar must have the same value
and type. A mapping with one key that begins with `$` is an operator; no QMP key begins with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.errors import StepFailed, scenario_error
from run_scenarios.core.json_types import type_name
from run_scenarios.core.limits import LimitExceeded, limit_resources
from run_scenarios.core.nodes import (
    Entry,
    JsonValue,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    list_children,
    to_json,
)
from run_scenarios.core.source import Span

REGEX_S = 0.5
SHOWN = 400
OPPOSITES = {
    "$any": "'$absent: true' asks for the opposite",
    "$absent": "'$any: true' asks for the opposite",
    "$ne": "'$not' takes any expected value",
}


class MissingKey:
    """The actual value of a key that does not exist."""


MISSING = MissingKey()
Actual = JsonValue | MissingKey


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference: its path in the value, its span in the scenario, the expected and the actual value."""

    path: str
    span: Span
    wanted: str
    found: str

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{place}expected {self.wanted}, found {self.found}"


def find_mismatches(expected: Node, actual: Actual, path: str = "") -> list[Mismatch]:
    """Return every difference between an expected and an actual value.

    :param expected: a rendered node that has passed `check_matcher`.
    """
    if isinstance(expected, MappingNode):
        operator = find_operator(expected)
        if operator:
            return OPERATORS[operator.key].compare(operator.value, actual, path)
        return _match_mapping(expected, actual, path)
    if isinstance(expected, SequenceNode):
        return _match_list(expected, actual, path)
    wanted = to_json(expected)
    if is_identical(wanted, actual):
        return []
    return [Mismatch(path, expected.span, describe_value(wanted), describe_value(actual))]


def require_match(expected: Node, actual: JsonValue, what: str) -> None:
    """Check that a value matches.

    :param what: the name of the value in the message.
    :raise StepFailed: if it does not, with every difference, at the position of the first.
    """
    differences = find_mismatches(expected, actual)
    if differences:
        first = differences[0]
        raise StepFailed(
            f"{what}: {first}",
            span=first.span,
            wanted=first.wanted,
            found=first.found,
            path=first.path,
            details=(*map(str, differences), f"{what}: {describe_value(actual)}"),
            difference=_find_difference(expected, actual, first.path),
        )


def _find_difference(expected: Node, actual: Actual, path: str) -> dict[str, Any] | None:
    """Return the expected and the actual value at the path of a mismatch, None if an operator changed the value."""
    if not path:
        found = {} if isinstance(actual, MissingKey) else {"found": actual}
        return {"expected": to_json(expected), **found}
    children: list[tuple[str, Node, Actual]] = []
    if isinstance(expected, SequenceNode) and isinstance(actual, list):
        items = enumerate(zip(expected, actual, strict=False))
        children = [(f"[{index}]", node, value) for index, (node, value) in items]
    elif isinstance(expected, MappingNode) and isinstance(actual, dict):
        children = [(entry.key, entry.value, actual.get(entry.key, MISSING)) for entry in expected]
    for step, node, value in children:
        rest = path.removeprefix(step)
        if path.startswith(step) and (not rest or rest[0] in ".["):
            return _find_difference(node, value, rest.removeprefix("."))
    return None


def check_matcher(expected: Node) -> None:
    """Check the operators in an expected value.

    :raise ScenarioError: for an unknown operator, one next to other keys, or an operand of the wrong type.
    """
    if isinstance(expected, SequenceNode):
        for item in expected:
            check_matcher(item)
    elif isinstance(expected, MappingNode):
        operator = find_operator(expected)
        if operator:
            _check_operator(operator, expected)
        else:
            for entry in expected:
                check_matcher(entry.value)


def is_identical(one: object, other: object) -> bool:
    """Tell whether two bare values are equal in value and type, at every level: 1 differs from true and 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_identical(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_identical, one, other))
    return one == other


def describe_value(value: Actual) -> str:
    """Return a value as JSON, cut to a readable length; scalars with their type."""
    if isinstance(value, MissingKey):
        return "nothing (no such key)"
    text = json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"
    return text if isinstance(value, dict | list) or value is None else f"{text} ({type_name(value).split()[-1]})"


def find_operator(expected: Node) -> Entry | None:
    """Return the entry of a mapping whose key is an operator; None if there is none, or for other nodes."""
    for entry in expected.entries if isinstance(expected, MappingNode) else ():
        if entry.key.startswith("$"):
            return entry
    return None


def _check_operator(entry: Entry, expected: MappingNode) -> None:
    name = entry.key
    if name not in OPERATORS:
        raise scenario_error(
            entry.span, f"unknown operator '{name}'", did_you_mean(name, OPERATORS, ", ".join(OPERATORS))
        )
    if len(expected.entries) > 1:
        other = next(each for each in expected if each.key != name)
        raise scenario_error(other.span, f"'{other.key}' next to '{name}': an operator must be the only key")
    if not entry.value.dynamic:
        OPERATORS[name].check(entry.value, name)


def _join(path: str, part: str | int) -> str:
    if isinstance(part, int):
        return f"{path}[{part}]"
    return f"{path}.{part}" if path else part


def _match_mapping(expected: MappingNode, actual: Actual, path: str) -> list[Mismatch]:
    if not isinstance(actual, dict):
        return [Mismatch(path, expected.span, "a mapping", describe_value(actual))]
    found = []
    for entry in expected:
        value: Actual = actual.get(entry.key, MISSING)
        below = _join(path, entry.key)
        if isinstance(value, MissingKey) and not _may_be_absent(entry.value):
            found.append(Mismatch(below, entry.span, _wanted(entry.value), describe_value(value)))
        else:
            found += find_mismatches(entry.value, value, below)
    return found


def _may_be_absent(expected: Node) -> bool:
    operator = find_operator(expected)
    return operator is not None and operator.key in ("$absent", "$not", "$one-of")


def _wanted(expected: Node) -> str:
    return describe_value(to_json(expected))


def _match_list(expected: SequenceNode, actual: Actual, path: str) -> list[Mismatch]:
    if not isinstance(actual, list):
        return [Mismatch(path, expected.span, "a list", describe_value(actual))]
    found = []
    for index, (item, value) in enumerate(zip(expected, actual, strict=False)):
        found += find_mismatches(item, value, _join(path, index))
    if len(expected.items) != len(actual):
        wanted = f"{len(expected.items)} items"
        found.append(Mismatch(path, expected.span, wanted, f"{len(actual)}: {describe_value(actual)}"))
    return found


@dataclass(frozen=True, slots=True)
class Operator:
    """One `$operator`: checks its operand, and compares an actual value."""

    check: Callable[[Node, str], None]
    compare: Callable[[Node, Actual, str], list[Mismatch]]
    doc: str


def _unless(matches: bool, operand: Node, actual: Actual, path: str, phrase: str) -> list[Mismatch]:
    return [] if matches else [Mismatch(path, operand.span, f"{phrase} {_wanted(operand)}", describe_value(actual))]


def _make_comparison(phrase: str, holds: Callable[[float, float], bool]) -> Operator:
    def compare(operand: Node, actual: Actual, path: str) -> list[Mismatch]:
        limit = to_json(operand)
        numbers = _is_number(limit) and _is_number(actual)
        return _unless(numbers and holds(actual, limit), operand, actual, path, phrase)  # type: ignore[arg-type]

    return Operator(_check_number, compare, f"a number {phrase} this one")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_number(operand: Node, name: str) -> None:
    if not isinstance(operand, ScalarNode) or not _is_number(operand.value):
        raise scenario_error(operand.span, f"'{name}' takes a number, not {type_name(to_json(operand))}")


def _check_list(operand: Node, name: str) -> None:
    if not isinstance(operand, SequenceNode):
        raise scenario_error(operand.span, f"'{name}' takes a list, not {type_name(to_json(operand))}")
    check_matcher(operand)


def _check_choice(operand: Node, name: str) -> None:
    _check_list(operand, name)
    if isinstance(operand, SequenceNode) and not operand.items:
        raise scenario_error(operand.span, f"'{name}' with an empty list never matches")


def _check_true(operand: Node, name: str) -> None:
    if to_json(operand) is not True:
        raise scenario_error(operand.span, f"'{name}' takes 'true' only", OPPOSITES.get(name, ""))


def _check_regex(operand: Node, name: str) -> None:
    if not isinstance(operand, ScalarNode) or not isinstance(operand.value, str):
        raise scenario_error(operand.span, f"'{name}' takes a string, not {type_name(to_json(operand))}")
    try:
        with limit_resources("compiling it", REGEX_S):
            re.compile(operand.value)
    except (re.error, RecursionError, OverflowError, LimitExceeded) as error:
        raise scenario_error(operand.span, f"bad regular expression: {error}") from None


def _check_length(operand: Node, name: str) -> None:
    is_length = isinstance(operand, ScalarNode) and _is_number(operand.value) and isinstance(operand.value, int)
    if find_operator(operand):
        check_matcher(operand)
    elif not is_length or to_json(operand) < 0:  # type: ignore[operator]
        found = describe_value(to_json(operand))
        raise scenario_error(operand.span, f"'{name}' takes a whole number or an operator, not {found}", "{$gt: 0}")


def _check_matcher(operand: Node, _: str) -> None:
    check_matcher(operand)


def _check_literal(operand: Node, name: str) -> None:
    """Refuse operators where values are compared literally: they would be read as keys."""
    for _, child in list_children(operand):
        _check_literal(child, name)
    entry = find_operator(operand)
    if entry:
        raise scenario_error(
            entry.span, f"'{entry.key}' within '{name}', which compares literally", OPPOSITES.get(name, "")
        )


def _regex(operand: Node, actual: Actual, path: str) -> list[Mismatch]:
    pattern = str(to_json(operand))
    try:
        with limit_resources(f"the regular expression {describe_value(pattern)}", REGEX_S):
            matches = isinstance(actual, str) and re.search(pattern, actual) is not None
    except LimitExceeded as error:
        raise StepFailed(str(error), span=operand.span, hint="avoid nested repetition, as in '(a+)+'") from None
    return _unless(matches, operand, actual, path, "text matching")


def _contains(operand: Node, actual: Actual, path: str) -> list[Mismatch]:
    wanted = to_json(operand)
    if isinstance(actual, str):
        return _unless(isinstance(wanted, str) and wanted in actual, operand, actual, path, "text containing")
    matches = isinstance(actual, list) and any(not find_mismatches(operand, item) for item in actual)
    return _unless(matches, operand, actual, path, "a list containing")


def _differs(operand: Node, actual: Actual, path: str) -> list[Mismatch]:
    return _unless(not is_identical(to_json(operand), actual), operand, actual, path, "anything but")


def _exact(operand: Node, actual: Actual, path: str) -> list[Mismatch]:
    return _unless(is_identical(to_json(operand), actual), operand, actual, path, "exactly")


def _any(operand: Node, actual: Actual, path: str) -> list[Mismatch]:
    present = not isinstance(actual, MissingKey)
    return [] if present else [Mismatch(path, operand.span, "anything", describe_value(actual))]


def _absent(operand: Node, actual: Actual, path: str) -> list[Mismatch]:
    absent = isinstance(actual, MissingKey)
    return [] if absent else [Mismatch(path, operand.span, "no such key", describe_value(actual))]


def _length(operand: Node, actual: Actual, path: str) -> list[Mismatch]:
    if not isinstance(actual, str | list | dict):
        return [Mismatch(path, operand.span, "something with a length", describe_value(actual))]
    return find_mismatches(operand, len(actual), f"length of {path or 'the value'}")


def _unordered(operand: Node, actual: Actual, path: str) -> list[Mismatch]:
    assert isinstance(operand, SequenceNode)
    if not isinstance(actual, list):
        return [Mismatch(path, operand.span, "a list", describe_value(actual))]
    left = list(actual)
    for item in operand:
        hit = next((index for index, value in enumerate(left) if not find_mismatches(item, value)), None)
        if hit is None:
            return [Mismatch(path, item.span, f"an item {_wanted(item)}", describe_value(left))]
        del left[hit]
    return [] if not left else [Mismatch(path, operand.span, "no further items", describe_value(left))]


def _not(operand: Node, actual: Actual, path: str) -> list[Mismatch]:
    return _unless(bool(find_mismatches(operand, actual, path)), operand, actual, path, "anything that does not match")


def _one_of(operand: Node, actual: Actual, path: str) -> list[Mismatch]:
    assert isinstance(operand, SequenceNode)
    return _unless(any(not find_mismatches(item, actual, path) for item in operand), operand, actual, path, "one of")


OPERATORS: dict[str, Operator] = {
    "$regex": Operator(_check_regex, _regex, "a string that contains a match of this regular expression"),
    "$contains": Operator(
        _check_matcher, _contains, "a string that contains this, or a list with an item that matches it"
    ),
    "$gt": _make_comparison("greater than", lambda actual, limit: actual > limit),
    "$ge": _make_comparison("at least", lambda actual, limit: actual >= limit),
    "$lt": _make_comparison("less than", lambda actual, limit: actual < limit),
    "$le": _make_comparison("at most", lambda actual, limit: actual <= limit),
    "$ne": Operator(_check_literal, _differs, "any value but this one"),
    "$any": Operator(_check_true, _any, "any value, as long as the key exists (`$any: true`)"),
    "$absent": Operator(_check_true, _absent, "the key does not exist (`$absent: true`)"),
    "$length": Operator(_check_length, _length, "a string, list or mapping whose length matches this"),
    "$unordered": Operator(_check_list, _unordered, "a list whose items match these, in any order"),
    "$exact": Operator(_check_literal, _exact, "exactly this value: no further keys at any level"),
    "$not": Operator(_check_matcher, _not, "anything that does not match this"),
    "$one-of": Operator(_check_choice, _one_of, "anything that matches one of these"),
}
