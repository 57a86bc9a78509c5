"""YAML as frozen values that know where they were written. Imports errors only.

A `Node` is what travels from the loader to the last report; `to_json` gives the bare value for the wire.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from runner.errors import Place, RunnerError, Span, value_type

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
JsonObject = dict[str, JsonValue]


class UnknownValue:
    """Stands for a value that only a running case will know."""

    def __repr__(self) -> str:
        return "(known at run time)"


UNKNOWN = UnknownValue()


@value_type
class Scalar:
    """A string, number, boolean or null."""

    place: Place
    value: str | int | float | bool | None
    dynamic: ClassVar[bool] = False

    @property
    def span(self) -> Span:
        """Where it was written."""
        return Span(*self.place)


@value_type
class Expression:
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


@value_type
class Unknown:
    """The place of an expression whose value only a running case will know."""

    place: Place
    dynamic: ClassVar[bool] = True

    @property
    def span(self) -> Span:
        """Where it was written."""
        return Span(*self.place)


@value_type
class Sequence:
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


@value_type
class Entry:
    """One key of a mapping with its value."""

    key: str
    place: Place
    value: Node

    @property
    def span(self) -> Span:
        """Where its key was written."""
        return Span(*self.place)


@value_type
class Mapping:
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


Node = Scalar | Expression | Unknown | Sequence | Mapping


class NotKnownYet(RunnerError):
    """A value was asked for that only a running case will know."""


def sequence(place: Place, items: tuple[Node, ...]) -> Sequence:
    """Return a sequence node; it is dynamic if any of its items is."""
    for item in items:
        if item.dynamic:
            return Sequence(place, items, True)
    return Sequence(place, items, False)


def mapping(place: Place, entries: tuple[Entry, ...]) -> Mapping:
    """Return a mapping node; it is dynamic if any of its values is."""
    for entry in entries:
        if entry.value.dynamic:
            return Mapping(place, entries, True)
    return Mapping(place, entries, False)


def to_json(node: Node) -> JsonValue:
    """Return the bare value of a node.

    :raise NotKnownYet: for a node that holds an expression not evaluated yet.
    """
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [to_json(item) for item in node.items]
        case Mapping():
            return {entry.key: to_json(entry.value) for entry in node.entries}
        case Expression() | Unknown():
            raise NotKnownYet(str(node.span))


def to_partial(node: Node) -> object:
    """Return the bare value of a node, with `UNKNOWN` wherever it is not known yet."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [to_partial(item) for item in node.items]
        case Mapping():
            return {entry.key: to_partial(entry.value) for entry in node.entries}
        case Expression() | Unknown():
            return UNKNOWN


def from_json(value: JsonValue, place: Place) -> Node:
    """Return a bare value as a node, every part of it at `place`."""
    match value:
        case list():
            return sequence(place, tuple(from_json(item, place) for item in value))
        case dict():
            return mapping(place, tuple(Entry(key, place, from_json(item, place)) for key, item in value.items()))
        case _:
            return Scalar(place, value)


def replaced(node: Node, path: tuple[str | int, ...], value: Node) -> Node:
    """Return a node with another value in the place that a path of keys and indices leads to."""
    if not path:
        return value
    part, below = path[0], path[1:]
    if isinstance(node, Sequence):
        items = (replaced(item, below, value) if index == part else item for index, item in enumerate(node))
        return sequence(node.place, tuple(items))
    assert isinstance(node, Mapping), "the path leads there"
    entries = (
        Entry(each.key, each.place, replaced(each.value, below, value)) if each.key == part else each for each in node
    )
    return mapping(node.place, tuple(entries))


def at_path(node: Node, path: tuple[str | int, ...]) -> tuple[Span, Node]:
    """Return the place and the node that a path of keys and indices leads to; the place of a key is the key's own."""
    span = node.span
    for part in path:
        if isinstance(part, int) and isinstance(node, Sequence):
            node = node.items[part]
            span = node.span
        elif isinstance(part, str) and isinstance(node, Mapping):
            entry = node.entry(part)
            if entry is None:
                break
            node, span = entry.value, entry.span
    return span, node
