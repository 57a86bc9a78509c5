"""The commands, events and types that one program offers over QMP, from the answer of `query-qmp-schema`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from run_scenarios.core.errors import RunnerError
from run_scenarios.core.nodes import JsonObject, JsonValue
from run_scenarios.qmp.types import (
    ANY,
    Alternate,
    Array,
    Builtin,
    Enum,
    Features,
    Member,
    Object,
    Type,
    TypeTable,
    Version,
    merge_members,
)

QMP_PROGRAMS = ("qemu", "qemu-storage-daemon")
ANY_EVENT = "any event"


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


@dataclass(frozen=True)
class QmpSchema(TypeTable):
    """Everything that one program offers over QMP.

    :param program: its name in messages: `QEMU` or `qemu-storage-daemon`.
    """

    version: Version
    commands: Mapping[str, Command]
    events: Mapping[str, Event]

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
        self.data_types: dict[str, str] = {}
        """The type of the data of each event."""
        self.types: dict[str, Type] = {
            "timestamp": Object({"seconds": Member("int"), "microseconds": Member("int")}),
            ANY: Builtin("value"),
        }
        for entity in entities:
            self._add(entity["name"], entity)

    def make_schema(self, program: str, version: Any) -> QmpSchema:
        major, minor, micro = map(int, version)
        table = TypeTable(program, (major, minor, micro), self.types)
        for name, data in self.data_types.items():
            self.types[f"event {name}"] = _make_message(f"the name {name}", data, table)
        self.types |= _merge_events(table, self.data_types)
        return QmpSchema(program, (major, minor, micro), self.types, self.commands, self.events)

    def _add(self, name: str, entity: JsonObject) -> None:
        kind = entity["meta-type"]
        if kind == "command":
            self.commands[name] = _parse_command(entity)
        elif kind == "event":
            self._add_event(name, entity)
        else:
            self.types[name] = PARSERS[str(kind)](entity)

    def _add_event(self, name: str, entity: JsonObject) -> None:
        self.types[f"the name {name}"] = Enum({name: frozenset()})
        self.data_types[name] = str(entity["arg-type"])
        self.events[name] = Event(f"event {name}", _read_features(entity))


def _make_message(name: str, data: str, table: TypeTable) -> Object:
    # QEMU omits `data` if it has no members.
    is_empty = not table.get_object(data).members
    return Object({"event": Member(name), "data": Member(data, is_empty), "timestamp": Member("timestamp")})


def _merge_events(table: TypeTable, data_types: Mapping[str, str]) -> dict[str, Type]:
    """Return the type of a message that may be any event, and the types that it needs."""
    members = merge_members(table.merge_variants(table.get_object(each)) for each in data_types.values())
    return {
        "any event's name": Enum(dict.fromkeys(data_types, frozenset())),
        "any event's data": Object(members),
        ANY_EVENT: Object(
            {
                "event": Member("any event's name"),
                "data": Member("any event's data", optional=True),
                "timestamp": Member("timestamp"),
            }
        ),
    }


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
