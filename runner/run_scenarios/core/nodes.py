"""YAML as frozen values that know where they were written. Imports errors only.

A `Node` is what travels from the loader to the last report; `to_json` gives the bare value for the wire.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from run_scenarios.core.errors import RunnerError
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.source import Place, Span

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
JsonObject = dict[str, JsonValue]


class UnknownValue:
    """Stands for a value that only a running case will know."""

    def __repr__(self) -> str:
        return "(known at run time)"


UNKNOWN = UnknownValue()


@unchecked_frozen
class ScalarNode:
    """A string, number, boolean or null."""

    place: Place
    value: str | int | float | bool | None
    dynamic: ClassVar[bool] = False

    @property
    def span(self) -> Span:
        """Where it was written."""
        return Span(*self.place)


@unchecked_frozen
class ExpressionNode:
    """A string with `{{ … }}` in it, not yet evaluated.

    :param quoted: whether it was written in quotes, or as a block.
    """

    place: Place
    text: str
    quoted: bool = True
    dynamic: ClassVar[bool] = True

    @property
    def span(self) -> Span:
        """Where it was written."""
        return Span(*self.place)


@unchecked_frozen
class UnknownNode:
    """The place of an expression whose value only a running case will know."""

    place: Place
    dynamic: ClassVar[bool] = True

    @property
    def span(self) -> Span:
        """Where it was written."""
        return Span(*self.place)


@unchecked_frozen
class SequenceNode:
    """A YAML sequence."""

    place: Place
    items: tuple[Node, ...]
    dynamic: bool

    @property
    def span(self) -> Span:
        """Where it was written."""
        return Span(*self.place)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.items)


@unchecked_frozen
class Entry:
    """One key of a mapping with its value."""

    key: str
    place: Place
    value: Node

    @property
    def span(self) -> Span:
        """Where its key was written."""
        return Span(*self.place)


@unchecked_frozen
class MappingNode:
    """A YAML mapping; its keys are strings and each occurs once."""

    place: Place
    entries: tuple[Entry, ...]
    dynamic: bool

    @property
    def span(self) -> Span:
        """Where it was written."""
        return Span(*self.place)

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
    """A value was asked for that only a running case will know."""


def make_sequence(place: Place, items: tuple[Node, ...]) -> SequenceNode:
    """Return a sequence node; it is dynamic if any of its items is."""
    for item in items:
        if item.dynamic:
            return SequenceNode(place, items, True)
    return SequenceNode(place, items, False)


def make_mapping(place: Place, entries: tuple[Entry, ...]) -> MappingNode:
    """Return a mapping node; it is dynamic if any of its values is."""
    for entry in entries:
        if entry.value.dynamic:
            return MappingNode(place, entries, True)
    return MappingNode(place, entries, False)


def to_json(node: Node) -> JsonValue:
    """Return the bare value of a node.

    :raise NotKnownYet: for a node that holds an expression not evaluated yet.
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
    """Return the bare value of a node, with `UNKNOWN` wherever it is not known yet."""
    match node:
        case ScalarNode():
            return node.value
        case SequenceNode():
            return [to_partial(item) for item in node.items]
        case MappingNode():
            return {entry.key: to_partial(entry.value) for entry in node.entries}
        case ExpressionNode() | UnknownNode():
            return UNKNOWN


def from_json(value: JsonValue, place: Place) -> Node:
    """Return a bare value as a node, every part of it at `place`."""
    match value:
        case list():
            return make_sequence(place, tuple(from_json(item, place) for item in value))
        case dict():
            return make_mapping(place, tuple(Entry(key, place, from_json(item, place)) for key, item in value.items()))
        case _:
            return ScalarNode(place, value)


def replace_at_path(node: Node, path: tuple[str | int, ...], value: Node) -> Node:
    """Return a node with another value in the place that a path of keys and indices leads to."""
    if not path:
        return value
    part, below = path[0], path[1:]
    if isinstance(node, SequenceNode):
        items = (replace_at_path(item, below, value) if index == part else item for index, item in enumerate(node))
        return make_sequence(node.place, tuple(items))
    assert isinstance(node, MappingNode), "the path leads there"
    entries = (
        Entry(each.key, each.place, replace_at_path(each.value, below, value)) if each.key == part else each
        for each in node
    )
    return make_mapping(node.place, tuple(entries))


def find_at_path(node: Node, path: tuple[str | int, ...]) -> tuple[Span, Node]:
    """Return the place and the node that a path of keys and indices leads to; the place of a key is the key's own."""
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
