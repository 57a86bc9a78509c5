"""Types of JSON values, as QAPI describes them, in a table of names.

Source: QEMU's qapi/introspect.json. Types refer to each other by name, because some contain themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from run_scenarios.core.json_types import TYPE_NAMES

Features = frozenset[str]
Version = tuple[int, int, int]
DEPRECATED = "deprecated"
ANY = "any"
QAPI_TYPE_NAMES = {**TYPE_NAMES, "int": TYPE_NAMES["integer"], "value": "any value"}


@dataclass(frozen=True, slots=True)
class Builtin:
    """One of JSON's own types.

    :param json: `string`, `int`, `number`, `boolean`, `null`, or `value` for any of them.
    """

    json: str


@dataclass(frozen=True, slots=True)
class Enum:
    """Strings to choose from, each with its features."""

    values: Mapping[str, Features]


@dataclass(frozen=True, slots=True)
class Array:
    """A list whose items are all of one type."""

    element: str


@dataclass(frozen=True, slots=True)
class Member:
    """One key of an object.

    :param since: the later version of the program that added it, "" if the program has it.
    """

    type: str
    optional: bool = False
    features: Features = frozenset()
    since: str = ""


@dataclass(frozen=True, slots=True)
class Object:
    """A mapping. One with a tag is a union: the value of that member selects further members.

    :param variants: the type that has the further members, by the value of the tag.
    """

    members: Mapping[str, Member]
    tag: str = ""
    variants: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Alternate:
    """One of several types, distinguished by the JSON type of the value."""

    types: tuple[str, ...]


Type = Builtin | Enum | Array | Object | Alternate


@dataclass(frozen=True)
class TypeTable:
    """Types by name, and the program that uses them.

    :param program: its name in messages.
    """

    program: str
    version: Version | None
    types: Mapping[str, Type]

    def __str__(self) -> str:
        return f"{self.program} {'.'.join(map(str, self.version))}" if self.version else self.program

    def describe_type(self, type_: str) -> str:
        """Return the JSON type of a type's values, with an article."""
        match self.types[type_]:
            case Object():
                return "a mapping"
            case Array():
                return "a list"
            case Enum():
                return "a string"
            case Builtin() as kind:
                return QAPI_TYPE_NAMES[kind.json]
            case Alternate() as kind:
                return " or ".join(map(self.describe_type, kind.types))

    def list_json_types(self, type_: str) -> frozenset[str]:
        """Return the JSON types of a type's values: those of `Builtin`, `object` and `array`."""
        match self.types[type_]:
            case Object():
                return frozenset({"object"})
            case Array():
                return frozenset({"array"})
            case Enum():
                return frozenset({"string"})
            case Builtin() as kind:
                return frozenset({kind.json})
            case Alternate() as kind:
                return frozenset[str]().union(*map(self.list_json_types, kind.types))

    def get_object(self, type_: str) -> Object:
        """Return a type that is known to be an object."""
        kind = self.types[type_]
        assert isinstance(kind, Object), f"{type_} is an object in QEMU's QAPI schema"
        return kind

    def merge_variants(self, kind: Object) -> dict[str, Member]:
        """Return the members of a union, whichever branch they are in; all of those are optional."""
        variants = [self.get_object(each) for each in (kind.variants or {}).values()]
        return {**merge_members(self.merge_variants(each) for each in variants), **kind.members}


def merge_members(objects: Iterable[Mapping[str, Member]]) -> dict[str, Member]:
    """Return the members of several objects as optional ones; one with different types may be of any type."""
    merged: dict[str, Member] = {}
    for members in objects:
        for name, member in members.items():
            known = merged.get(name, member)
            merged[name] = Member(member.type if known.type == member.type else ANY, optional=True, since=known.since)
    return merged
