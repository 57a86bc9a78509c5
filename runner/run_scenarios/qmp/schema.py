"""The commands, events and types that one program offers over QMP, from the answer of `query-qmp-schema`.

Source: QEMU's qapi/introspect.json. Types refer to each other by name, because some contain themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from run_scenarios.core.errors import RunnerError
from run_scenarios.core.json_types import TYPE_NAMES
from run_scenarios.core.nodes import JsonObject, JsonValue

Features = frozenset[str]
Version = tuple[int, int, int]
QMP_PROGRAMS = ("qemu", "qemu-storage-daemon")
DEPRECATED = "deprecated"
ANY = "any"
ANY_EVENT = "any event"
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
    """One key of an object."""

    type: str
    optional: bool = False
    features: Features = frozenset()


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


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    :param arguments: the type of its arguments.
    :param returns: the type of its result.
    """

    arguments: str
    returns: str
    allow_oob: bool
    features: Features


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    :param message: the type of the whole message: `{event, data, timestamp}`.
    """

    message: str
    features: Features


@dataclass(frozen=True, slots=True)
class QmpSchema:
    """Everything that one program offers over QMP.

    :param program: its name in messages: `QEMU` or `qemu-storage-daemon`.
    """

    program: str
    version: Version
    commands: Mapping[str, Command]
    events: Mapping[str, Event]
    types: Mapping[str, Type]

    def __str__(self) -> str:
        return f"{self.program} {'.'.join(map(str, self.version))}"

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

    @property
    def features(self) -> frozenset[str]:
        """The features of commands and events, as `name/feature`."""
        named: Iterable[tuple[str, Command | Event]] = (*self.commands.items(), *self.events.items())
        return frozenset(f"{name}/{feature}" for name, each in named for feature in each.features)


class InvalidSchema(RunnerError):
    """The answer is not that of `query-qmp-schema`."""


def parse_schema(program: str, version: JsonValue, entities: JsonValue) -> QmpSchema:
    """Return the schema that a program describes.

    :param program: `qemu` or `qemu-storage-daemon`.
    :param version: three numbers.
    :param entities: what `query-qmp-schema` returns, `[SchemaInfo]`.
    :raise InvalidSchema: if they are anything else.
    """
    try:
        return _Parser(entities).make_schema("QEMU" if program == "qemu" else program, version)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidSchema(f"not what query-qmp-schema returns: {type(error).__name__}: {error}") from None


class _Parser:
    """Sorts the entities of a schema into commands, events and types."""

    def __init__(self, entities: Any) -> None:
        self.commands: dict[str, Command] = {}
        self.events: dict[str, Event] = {}
        self.types: dict[str, Type] = {
            "timestamp": Object({"seconds": Member("int"), "microseconds": Member("int")}),
            ANY_EVENT: _make_message("str", ANY),
            ANY: Builtin("value"),
        }
        for entity in entities:
            self._add(entity["name"], entity)

    def make_schema(self, program: str, version: Any) -> QmpSchema:
        major, minor, micro = map(int, version)
        return QmpSchema(program, (major, minor, micro), self.commands, self.events, self.types)

    def _add(self, name: str, entity: JsonObject) -> None:
        kind = entity["meta-type"]
        if kind == "command":
            self.commands[name] = _parse_command(entity)
        elif kind == "event":
            self._add_event(name, entity)
        else:
            self.types[name] = PARSERS[str(kind)](entity)

    def _add_event(self, name: str, entity: JsonObject) -> None:
        label, message = f"the name {name}", f"event {name}"
        self.types[label] = Enum({name: frozenset()})
        self.types[message] = _make_message(label, str(entity["arg-type"]))
        self.events[name] = Event(message, _read_features(entity))


def _make_message(name: str, data: str) -> Object:
    return Object({"event": Member(name), "data": Member(data), "timestamp": Member("timestamp")})


def _read_features(entity: Mapping[str, Any]) -> Features:
    return frozenset(entity.get("features", ()))


def _parse_command(entity: Mapping[str, Any]) -> Command:
    return Command(entity["arg-type"], entity["ret-type"], entity.get("allow-oob", False), _read_features(entity))


def _parse_object(entity: Mapping[str, Any]) -> Object:
    members = {
        each["name"]: Member(each["type"], "default" in each, _read_features(each)) for each in entity["members"]
    }
    variants = {each["case"]: each["type"] for each in entity.get("variants", ())}
    return Object(members, entity.get("tag", ""), variants or None)


def _parse_enum(entity: Mapping[str, Any]) -> Enum:
    # QEMU 6.2 added `members`, which have features; before, there were only `values`.
    if "members" in entity:
        return Enum({each["name"]: _read_features(each) for each in entity["members"]})
    return Enum(dict.fromkeys(entity["values"], frozenset()))


PARSERS: dict[str, Any] = {
    "builtin": lambda entity: Builtin(entity["json-type"]),
    "enum": _parse_enum,
    "array": lambda entity: Array(entity["element-type"]),
    "object": _parse_object,
    "alternate": lambda entity: Alternate(tuple(each["type"] for each in entity["members"])),
}
