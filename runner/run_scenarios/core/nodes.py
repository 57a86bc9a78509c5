"""Nodes: YAML values as frozen objects that carry their position in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from run_scenarios.core.errors import RunnerError
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.source import Span

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
JsonObject = dict[str, JsonValue]


class UnknownValue:
    """A value that is known only while the case runs."""

    def __repr__(self) -> str:
        return "(known at run time)"


UNKNOWN = UnknownValue()


@unchecked_frozen
class Located:
    """Part of a file; an entry has the span of its key."""

    span: Span


@unchecked_frozen
class ScalarNode(Located):
    """A string, number, boolean or null."""

    value: str | int | float | bool | None
    dynamic: ClassVar[bool] = False


@unchecked_frozen
class ExpressionNode(Located):
    """A string with `{{ … }}` in it, not yet evaluated.

    :param quoted: whether it was written in quotes or as a block scalar.
    """

    text: str
    quoted: bool = True
    dynamic: ClassVar[bool] = True


@unchecked_frozen
class UnknownNode(Located):
    """An expression whose value is known only while the case runs."""

    dynamic: ClassVar[bool] = True


@unchecked_frozen
class SequenceNode(Located):
    """A YAML sequence."""

    items: tuple[Node, ...]
    dynamic: bool

    def __iter__(self) -> Iterator[Node]:
        return iter(self.items)


@unchecked_frozen
class Entry(Located):
    """One key of a mapping with its value."""

    key: str
    value: Node


@unchecked_frozen
class MappingNode(Located):
    """A YAML mapping with unique string keys."""

    entries: tuple[Entry, ...]
    dynamic: bool

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def entry(self, key: str) -> Entry | None:
        """Return the entry of `key`, or None."""
        for entry in self.entries:
            if entry.key == key:
                return entry
        return None

    def get(self, key: str) -> Node | None:
        """Return the value of `key`, or None."""
        for entry in self.entries:
            if entry.key == key:
                return entry.value
        return None

    def keys(self) -> tuple[str, ...]:
        """Return the keys in the order they were written."""
        return tuple(entry.key for entry in self.entries)


Node = ScalarNode | ExpressionNode | UnknownNode | SequenceNode | MappingNode


class NotKnownYet(RunnerError):
    """The value is known only while the case runs."""


def make_sequence(span: Span, items: tuple[Node, ...]) -> SequenceNode:
    """Return a sequence node, dynamic if any item is."""
    for item in items:
        if item.dynamic:
            return SequenceNode(span, items, True)
    return SequenceNode(span, items, False)


def make_mapping(span: Span, entries: tuple[Entry, ...]) -> MappingNode:
    """Return a mapping node, dynamic if any value is."""
    for entry in entries:
        if entry.value.dynamic:
            return MappingNode(span, entries, True)
    return MappingNode(span, entries, False)


def list_children(node: Node) -> list[tuple[str | int, Node]]:
    """Return the values of a mapping by their keys, the items of a sequence by their indices, nothing for others."""
    if isinstance(node, MappingNode):
        return [(entry.key, entry.value) for entry in node]
    return list(enumerate(node)) if isinstance(node, SequenceNode) else []


def to_json(node: Node) -> JsonValue:
    """Return the bare value of a node.

    :raise NotKnownYet: if the node holds an expression that has not been evaluated.
    """
    match node:
        case ScalarNode():
            return node.value
        case SequenceNode():
            return [to_json(item) for item in node.items]
        case MappingNode():
            return {entry.key: to_json(entry.value) for entry in node.entries}
        case ExpressionNode() | UnknownNode():
            raise NotKnownYet(str(node.span))


def to_partial(node: Node) -> object:
    """Return the bare value of a node, with `UNKNOWN` in place of expressions."""
    match node:
        case ScalarNode():
            return node.value
        case SequenceNode():
            return [to_partial(item) for item in node.items]
        case MappingNode():
            return {entry.key: to_partial(entry.value) for entry in node.entries}
        case ExpressionNode() | UnknownNode():
            return UNKNOWN


def from_json(value: JsonValue, span: Span) -> Node:
    """Return a bare value as a node, with `span` as the position of every part."""
    match value:
        case list():
            return make_sequence(span, tuple(from_json(item, span) for item in value))
        case dict():
            return make_mapping(span, tuple(Entry(span, key, from_json(item, span)) for key, item in value.items()))
        case _:
            return ScalarNode(span, value)


def replace_at_path(node: Node, path: tuple[str | int, ...], value: Node) -> Node:
    """Return a copy of a node with the value at a path of keys and indices replaced."""
    if not path:
        return value
    part, below = path[0], path[1:]
    if isinstance(node, SequenceNode):
        items = (replace_at_path(item, below, value) if index == part else item for index, item in enumerate(node))
        return make_sequence(node.span, tuple(items))
    assert isinstance(node, MappingNode), "the path leads there"
    entries = (
        Entry(each.span, each.key, replace_at_path(each.value, below, value)) if each.key == part else each
        for each in node
    )
    return make_mapping(node.span, tuple(entries))


def find_at_path(node: Node, path: tuple[str | int, ...]) -> tuple[Span, Node]:
    """Return the node at a path of keys and indices, and its span; for the value of a key, the span of the key."""
    span = node.span
    for part in path:
        if isinstance(part, int) and isinstance(node, SequenceNode):
            node = node.items[part]
            span = node.span
        elif isinstance(part, str) and isinstance(node, MappingNode):
            entry = node.entry(part)
            if entry is None:
                break
            node, span = entry.value, entry.span
    return span, node
