"""Mutations of steps for `--audit`: each breaks one assertion, so that a step that passed must fail.

A mutated step is a valid step; it runs like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from run_scenarios.core.nodes import (
    Entry,
    ExpressionNode,
    JsonValue,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    from_json,
    list_children,
    make_mapping,
    make_sequence,
    replace_at_path,
)
from run_scenarios.core.source import Span
from run_scenarios.syntax.matchers import find_mismatches, find_operator

NO_SUCH_VALUE = "broken by --audit, no value equals this"
MUTATED_WITHIN = ("$contains", "$exact", "$unordered")
"""Operators whose operand is mutated part by part."""
NOT_JUDGED_BY_SAMPLES = ("$absent", "$any", "$ne", "$not")
"""Operators about the absence of something, or the mere presence of a key, which samples cannot show."""
SAMPLES: dict[str, list[JsonValue]] = {
    "number": [0, 1, 1 << 64, 0.5],
    "text": ["", "a", "Some text, of two lines.\n"],
    "boolean": [True, False],
    "list": [[], [0]],
    "mapping": [{}, {"a": 0}],
}
"""Values of each type: an expectation that accepts all of a type asserts nothing about such a value."""


@dataclass(frozen=True)
class Mutation:
    """A change to a step that breaks one of its assertions.

    :param span: where the assertion is written.
    :param keys: the new values of keys of the step; None removes the key.
    :param cannot_fail: why the assertion holds for any value, "" if it does not.
    """

    span: Span
    keys: Mapping[str, Node | None]
    cannot_fail: str = ""


Mutator = Callable[[str, Node], Iterator[Mutation]]
"""Yields the mutations of a step, given its verb's name and its argument."""


def mutate_keys(*keys: str) -> Mutator:
    """Return the mutator of the expected values under these keys of the argument."""

    def mutate(verb: str, argument: Node) -> Iterator[Mutation]:
        for entry in argument if isinstance(argument, MappingNode) else ():
            if entry.key in keys:
                for span, node, cannot_fail in mutate_expectation(entry.value):
                    yield Mutation(span, {verb: replace_key(argument, entry.key, node)}, cannot_fail)

    return mutate


def replace_with_failure(verb: str, argument: Node) -> Iterator[Mutation]:
    """Yield a step that always fails, in place of one whose argument has nothing to mutate."""
    gone = dict.fromkeys((verb, "expect", "save"))
    yield Mutation(argument.span, {**gone, "assert": ScalarNode(argument.span, False)})


def mutate_expectation(expected: Node) -> Iterator[tuple[Span, Node, str]]:
    """Yield the expected value with one part replaced, for each part; and why the part cannot fail, or "".

    A part is a scalar, an expression, or an operator on a whole operand. Nothing matches its replacement.
    """
    operator = find_operator(expected)
    if operator and operator.key == "$any":
        yield operator.span, _unmatchable(expected), "it accepts any value"
    else:
        yield from _mutate_parts(expected)


def _mutate_parts(expected: Node) -> Iterator[tuple[Span, Node, str]]:
    operator = find_operator(expected)
    if operator and not _is_mutated_mutate_children(operator):
        yield operator.span, _unmatchable(expected), _why_it_cannot_fail(expected)
    elif operator:
        inside = _mutate_literal_parts(operator.value) if operator.key == "$exact" else _mutate_parts(operator.value)
        for span, node, why in inside:
            yield span, replace_key(expected, operator.key, node), why
    elif list_children(expected):
        yield from _mutate_children(expected, _mutate_parts)
    else:
        yield expected.span, _unmatchable(expected), _why_it_cannot_fail(expected)


def _mutate_literal_parts(value: Node) -> Iterator[tuple[Span, Node, str]]:
    if list_children(value):
        yield from _mutate_children(value, _mutate_literal_parts)
    else:
        yield value.span, ScalarNode(value.span, NO_SUCH_VALUE), ""


def _mutate_children(
    whole: Node, parts: Callable[[Node], Iterator[tuple[Span, Node, str]]]
) -> Iterator[tuple[Span, Node, str]]:
    for key, child in list_children(whole):
        for span, node, why in parts(child):
            yield span, replace_at_path(whole, (key,), node), why


def _is_mutated_mutate_children(operator: Entry) -> bool:
    """Return whether the operand is mutated part by part; an expression has no parts before it is evaluated."""
    return operator.key in MUTATED_WITHIN and bool(list_children(operator.value))


def _unmatchable(expected: Node) -> Node:
    """Return an expected value that nothing matches; a mapping, which is valid wherever an expected value is."""
    return from_json({"$exact": NO_SUCH_VALUE}, expected.span)


def _why_it_cannot_fail(expected: Node) -> str:
    """Return which type of value an operator, or an empty mapping, accepts without exception; "" if there is none."""
    if isinstance(expected, ScalarNode | SequenceNode) or expected.dynamic or _cannot_be_judged_by_samples(expected):
        return ""
    for kind, samples in SAMPLES.items():
        if not any(find_mismatches(expected, sample) for sample in samples):
            return f"it accepts any {kind}"
    return ""


def _cannot_be_judged_by_samples(expected: Node) -> bool:
    operator = find_operator(expected)
    here = operator is not None and operator.key in NOT_JUDGED_BY_SAMPLES
    return here or any(_cannot_be_judged_by_samples(child) for _, child in list_children(expected))


def replace_key(node: Node, key: str, value: Node) -> MappingNode:
    """Return a mapping with a new value for a key, which is added if it is missing."""
    assert isinstance(node, MappingNode)
    entries = tuple(Entry(each.span, each.key, value) if each.key == key else each for each in node)
    return make_mapping(node.span, entries if node.entry(key) else (*entries, Entry(value.span, key, value)))


def drop_each_item(items: SequenceNode) -> Iterator[tuple[Node, SequenceNode]]:
    """Yield each item of a list, and the list without it."""
    for index, item in enumerate(items):
        yield item, make_sequence(items.span, (*items.items[:index], *items.items[index + 1 :]))


def replace_text(node: Node, one: str, other: str) -> Node:
    """Return `one`, or `other` if the node is `one`; for an expression, an expression that chooses."""
    if isinstance(node, ExpressionNode):
        return wrap_expression(node, f"'{other}' if %s == '{one}' else '{one}'")
    return ScalarNode(node.span, other if isinstance(node, ScalarNode) and node.value == one else one)


def wrap_expression(node: ExpressionNode, formula: str) -> ExpressionNode:
    """Return an expression of a formula, in which `%s` stands for the value of another expression."""
    inside = node.text.strip().removeprefix("{{").removeprefix("-").removesuffix("}}").removesuffix("-")
    return ExpressionNode(node.span, "{{ " + formula % f"({inside})" + " }}")
