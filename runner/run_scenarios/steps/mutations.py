"""What a verb asserts, and how each such thing is broken, for `--audit`. Imports match and nodes.

A broken step is one that could have been written so: a step that passes must fail once it is broken.
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
    make_mapping,
    make_sequence,
    replace_at_path,
)
from run_scenarios.core.source import Span
from run_scenarios.syntax.matchers import find_mismatches

NO_SUCH_VALUE = "broken by --audit, this is nowhere"
IN_PARTS = ("$contains", "$exact", "$unordered")
BEYOND_SAMPLES = ("$absent", "$any", "$ne", "$not")
SAMPLES: dict[str, list[JsonValue]] = {
    "number": [0, 1, 1 << 64, 0.5],
    "text": ["", "a", "Some text, of two lines.\n"],
    "boolean": [True, False],
    "list": [[], [0]],
    "mapping": [{}, {"a": 0}],
}
"""Values of each type, for an expectation that accepts all of one type asserts nothing of such a value."""


@dataclass(frozen=True)
class Mutation:
    """A step with one thing broken that it asserts.

    :param span: where that is written.
    :param keys: the keys of the step that are other then; None for one that is gone.
    :param cannot_fail: why it holds whatever there is, "" if it does not.
    """

    span: Span
    keys: Mapping[str, Node | None]
    cannot_fail: str = ""


Mutator = Callable[[str, Node], Iterator[Mutation]]
"""Yields the broken forms of a step, given its verb's name and its argument."""


def mutate_keys(*keys: str) -> Mutator:
    """Return the assertion that what is expected under these keys of the argument is there."""

    def broken(verb: str, argument: Node) -> Iterator[Mutation]:
        for entry in argument if isinstance(argument, MappingNode) else ():
            if entry.key in keys:
                for span, node, cannot_fail in mutate_expectation(entry.value):
                    yield Mutation(span, {verb: replace_key(argument, entry.key, node)}, cannot_fail)

    return broken


def replace_with_failure(verb: str, argument: Node) -> Iterator[Mutation]:
    """Yield the step of a verb that has nothing to expect: another step in its place, which fails."""
    gone = dict.fromkeys((verb, "expect", "save"))
    yield Mutation(argument.span, {**gone, "assert": ScalarNode(argument.span, False)})


def mutate_expectation(expected: Node) -> Iterator[tuple[Span, Node, str]]:
    """Yield an expected value once for each part of it, with that part broken; and why the part cannot fail, or "".

    A part is what cannot be taken further apart: a scalar, an expression, or an operator that is about its whole
    operand. Nothing matches what stands in its place.
    """
    operator = _operator(expected)
    if operator and operator.key == "$any":
        yield operator.span, _nothing_like(expected), "any value at all will do"
    else:
        yield from _parts(expected)


def _parts(expected: Node) -> Iterator[tuple[Span, Node, str]]:
    operator = _operator(expected)
    if operator and not _is_about_parts(operator):
        yield operator.span, _nothing_like(expected), _cannot_fail(expected)
    elif operator:
        inside = _literal_parts(operator.value) if operator.key == "$exact" else _parts(operator.value)
        for span, node, why in inside:
            yield span, replace_key(expected, operator.key, node), why
    elif _children(expected):
        yield from _within(expected, _parts)
    else:
        yield expected.span, _nothing_like(expected), _cannot_fail(expected)


def _literal_parts(value: Node) -> Iterator[tuple[Span, Node, str]]:
    if _children(value):
        yield from _within(value, _literal_parts)
    else:
        yield value.span, ScalarNode(value.span, NO_SUCH_VALUE), ""


def _within(whole: Node, parts: Callable[[Node], Iterator[tuple[Span, Node, str]]]) -> Iterator[tuple[Span, Node, str]]:
    for key, child in _children(whole):
        for span, node, why in parts(child):
            yield span, replace_at_path(whole, (key,), node), why


def _children(node: Node) -> list[tuple[str | int, Node]]:
    if isinstance(node, MappingNode):
        return [(entry.key, entry.value) for entry in node]
    return list(enumerate(node)) if isinstance(node, SequenceNode) else []


def _operator(expected: Node) -> Entry | None:
    entries = expected.entries if isinstance(expected, MappingNode) else ()
    return entries[0] if entries and entries[0].key.startswith("$") else None


def _is_about_parts(operator: Entry) -> bool:
    """Tell whether the operand of an operator is taken apart; of an expression it is not known what it comes to."""
    return operator.key in IN_PARTS and bool(_children(operator.value))


def _nothing_like(expected: Node) -> Node:
    """Return what nothing matches; a mapping, which is allowed wherever an expected value is."""
    return from_json({"$exact": NO_SUCH_VALUE}, expected.span)


def _cannot_fail(expected: Node) -> str:
    """Return why an operator, or an empty mapping, asserts nothing of a value of some type; "" if it may.

    Samples cannot tell of an operator that says what there must not be, or that a key is there.
    """
    if isinstance(expected, ScalarNode | SequenceNode) or expected.dynamic or _is_beyond_samples(expected):
        return ""
    for kind, samples in SAMPLES.items():
        if not any(find_mismatches(expected, sample) for sample in samples):
            return f"any {kind} will do"
    return ""


def _is_beyond_samples(expected: Node) -> bool:
    operator = _operator(expected)
    here = operator is not None and operator.key in BEYOND_SAMPLES
    return here or any(_is_beyond_samples(child) for _, child in _children(expected))


def replace_key(node: Node, key: str, value: Node) -> MappingNode:
    """Return a mapping with another value for a key, or with that key added."""
    assert isinstance(node, MappingNode)
    entries = tuple(Entry(each.span, each.key, value) if each.key == key else each for each in node)
    return make_mapping(node.span, entries if node.entry(key) else (*entries, Entry(value.span, key, value)))


def drop_each_item(items: SequenceNode) -> Iterator[tuple[Node, SequenceNode]]:
    """Yield each item of a list, and the list without it."""
    for index, item in enumerate(items):
        yield item, make_sequence(items.span, (*items.items[:index], *items.items[index + 1 :]))


def expand_short_form(argument: Node, key: str) -> MappingNode:
    """Return an argument that may be a mapping, or the value of this key alone."""
    return (
        argument
        if isinstance(argument, MappingNode)
        else make_mapping(argument.span, (Entry(argument.span, key, argument),))
    )


def replace_text(node: Node, one: str, other: str) -> Node:
    """Return `one`, or `other` if that is what a node says or its expression comes to."""
    if isinstance(node, ExpressionNode):
        return wrap_expression(node, f"'{other}' if %s == '{one}' else '{one}'")
    return ScalarNode(node.span, other if isinstance(node, ScalarNode) and node.value == one else one)


def wrap_expression(node: ExpressionNode, formula: str) -> ExpressionNode:
    """Return the expression of a formula over the value of another one, which is `%s` in it."""
    inside = node.text.strip().removeprefix("{{").removeprefix("-").removesuffix("}}").removesuffix("-")
    return ExpressionNode(node.span, "{{ " + formula % f"({inside})" + " }}")
