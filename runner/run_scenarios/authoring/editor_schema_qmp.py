"""The JSON Schema of scenario files, with what one QEMU takes and sends over QMP. Imports editor_schema, qmp_check.

It too is laxer than the check before a run: that knows what is returned, and the keys of events; and a step with
`error` may be wrong on purpose, so nothing is said about its command.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from run_scenarios.authoring.editor_schema import EXPRESSION, JsonSchema, allow_expression_or
from run_scenarios.qmp.message_checker import OPEN_COMMANDS
from run_scenarios.qmp.schema import (
    DEPRECATED,
    Alternate,
    Array,
    Builtin,
    Command,
    Enum,
    Event,
    Features,
    Member,
    Object,
    QmpSchema,
)
from run_scenarios.qmp.step_checker import LAUNCHED

BUILTINS: dict[str, JsonSchema] = {
    "string": {"type": "string"},
    "int": allow_expression_or(["integer"], "an integer"),
    "number": allow_expression_or(["number"], "a number"),
    "boolean": allow_expression_or(["boolean"], "true or false"),
    "null": allow_expression_or(["null"], "null"),
    "value": {},
}


def add_qmp(schema: JsonSchema, qmp: QmpSchema) -> JsonSchema:
    """Return a schema of scenario files that knows the commands, arguments and events of a QEMU too.

    :param schema: what `published_schema` returns; it is changed.
    """
    definitions = schema["definitions"]
    types = _Types(qmp)
    commands = _name("command", qmp.commands, qmp)
    able = {name: each for name, each in qmp.commands.items() if each.allow_oob}
    definitions |= {
        "qmp-command": commands,
        "qmp-command-out-of-band": _name("command out of band", able, qmp),
        "qmp-event": _name("event", qmp.events, qmp),
        "qmp-checked": _message(definitions["qmp"]["properties"]["qmp"], types),
        "launch-checked": _launch(types),
    }
    for verb in ("qmp", "launch"):
        definitions[verb] |= _unless_error(verb)
    for verb in ("wait-event", "assert-no-events"):
        _narrow_event(definitions[verb]["properties"][verb])
    # Only to complete them, for a command that this QEMU lacks is what `requires` is for.
    required = definitions["scenario"]["properties"]["requires"]["properties"]["commands"]
    required["items"] = {"type": "string", "defaultSnippets": commands["defaultSnippets"]}
    definitions |= types.definitions
    return schema


def _unless_error(verb: str) -> JsonSchema:
    checked = {verb: {"$ref": f"#/definitions/{verb}-checked"}}
    return {"if": {"required": ["error"]}, "else": {"properties": checked}}


def _narrow_event(argument: JsonSchema) -> None:
    argument["properties"]["name"] |= {"$ref": "#/definitions/qmp-event"}
    argument["anyOf"] = _name_or(argument["type"], "qmp-event")


def _launch(types: _Types) -> JsonSchema:
    commands = {key: types.qmp.commands.get(command) for key, command in LAUNCHED.items()}
    return {"properties": {key: {"items": types.ref(each.arguments)} for key, each in commands.items() if each}}


def _name(what: str, known: Mapping[str, Command | Event], qmp: QmpSchema) -> JsonSchema:
    """Return the schema of the name of a command or event.

    Not an `enum`: of that, editors show all the hundreds of values wherever they show anything.
    """
    snippets = [
        {"label": name, "body": name, "description": _remarks(each.features) or str(qmp)}
        for name, each in sorted(known.items())
    ]
    return {
        "type": "string",
        "pattern": f"^(?:{'|'.join(map(_escaped, sorted(known)))})$|{EXPRESSION}",
        "patternErrorMessage": f"{qmp} has no such {what}.",
        "defaultSnippets": snippets,
    }


def _message(argument: JsonSchema, types: _Types) -> JsonSchema:
    # Else it would hide what there is to say about each command.
    del argument["properties"]["execute"]["description"]
    properties = {
        "execute": {"$ref": "#/definitions/qmp-command"},
        "exec-oob": {"$ref": "#/definitions/qmp-command-out-of-band"},
    }
    return {
        "properties": properties,
        "anyOf": _name_or(argument["type"], "qmp-command"),
        "allOf": [_arguments(name, each, types) for name, each in sorted(types.qmp.commands.items())],
    }


def _name_or(types: list[str], name: str) -> list[JsonSchema]:
    """Return the choice between a name alone and the other types of an argument."""
    return [{"$ref": f"#/definitions/{name}"}, {"type": [each for each in types if each != "string"]}]


def _arguments(name: str, command: Command, types: _Types) -> JsonSchema:
    """Return what must hold of a message if it executes this command."""
    remarks = _remarks(command.features)
    about = {"description": f"`{name}`, a command of {types.qmp}{remarks and f'. {remarks}.'}"}
    arguments = types.ref(command.arguments)
    if name in OPEN_COMMANDS:
        arguments = {**types.members(command.arguments), "additionalProperties": True}
    arguments = {**arguments, "title": name, "description": f"the arguments of `{name}`"}
    kind = types.qmp.types[command.arguments]
    needed = isinstance(kind, Object) and not all(each.optional for each in kind.members.values())
    return {
        "if": _is("execute", name),
        "then": {
            "properties": {"execute": about, "arguments": arguments},
            **({"required": ["arguments"]} if needed else {}),
        },
    }


def _is(key: str, value: str) -> JsonSchema:
    """Return the schema of a mapping with this key and value.

    Not by `const`: while they complete, editors take the beginning of a constant for the constant.
    """
    return {"properties": {key: {"type": "string", "pattern": f"^{_escaped(value)}$"}}, "required": [key]}


def _escaped(name: str) -> str:
    # `re.escape` escapes more than regular expressions of JavaScript may.
    return name.replace(".", r"\.")


def _remarks(features: Features) -> str:
    return ", ".join(feature.capitalize() for feature in ("deprecated", "unstable") if feature in features)


class _Types:
    """The types of QMP that were asked for, and all they refer to, as definitions."""

    def __init__(self, qmp: QmpSchema) -> None:
        self.qmp = qmp
        self.definitions: dict[str, JsonSchema] = {}

    def ref(self, name: str) -> JsonSchema:
        """Return a reference to a type, or the type itself if it is one of JSON's."""
        kind = self.qmp.types[name]
        if isinstance(kind, Builtin):
            return BUILTINS[kind.json]
        key = "qmp-type-" + re.sub(r"[^\w-]", "_", name)
        if key not in self.definitions:
            # Before its content, which may refer to it.
            self.definitions[key] = {}
            self.definitions[key] |= self._content(name)
        return {"$ref": f"#/definitions/{key}"}

    def members(self, name: str) -> JsonSchema:
        """Return the schema of an object; of a union, all the members that each of its branches has."""
        kind = self.qmp.types[name]
        assert isinstance(kind, Object)
        return self._object(kind)

    def _content(self, name: str) -> JsonSchema:
        match self.qmp.types[name]:
            case Object() as kind:
                return {**allow_expression_or(["object"], "a mapping"), **self._object(kind)}
            case Array() as kind:
                return {**allow_expression_or(["array"], "a list"), "items": self.ref(kind.element)}
            case Enum() as kind:
                return _enum(kind)
            case Alternate() as kind:
                return self._alternate(kind)
        raise AssertionError(name)

    def _object(self, kind: Object) -> JsonSchema:
        if kind.variants is None:
            return {**self._members(kind.members), "additionalProperties": False}
        branches = [{"if": _is(kind.tag, case), "then": self._branch(kind, case)} for case in kind.variants]
        return {**self._members(kind.members), "allOf": branches}

    def _branch(self, kind: Object, case: str) -> JsonSchema:
        """Return one branch of a union, complete: the members that all have, and its own."""
        further = self.qmp.types[(kind.variants or {})[case]]
        assert isinstance(further, Object), "qapi/introspect.json: a variant is always an object"
        return self._object(Object({**kind.members, **further.members}, further.tag, further.variants))

    def _members(self, members: Mapping[str, Member]) -> JsonSchema:
        required = [name for name, each in members.items() if not each.optional]
        properties = {name: self._member(name, each) for name, each in members.items()}
        return {"properties": properties, **({"required": required} if required else {})}

    def _member(self, name: str, member: Member) -> JsonSchema:
        need = "optional" if member.optional else "needed"
        remarks = ", ".join(filter(None, (_remarks(member.features), self.qmp.describe_type(member.type), need)))
        deprecated = {"deprecated": True} if DEPRECATED in member.features else {}
        return {**self.ref(member.type), "title": name, "description": remarks, **deprecated}

    def _alternate(self, kind: Alternate) -> JsonSchema:
        """Return the choice that the JSON type of the value makes, so that a message is about one of the types."""
        objects = [each for each in kind.types if isinstance(self.qmp.types[each], Object)]
        others = [self.ref(each) for each in kind.types if each not in objects]
        if not objects:
            return {"anyOf": [*others, {"type": "string", "pattern": EXPRESSION}]}
        return {"if": {"type": "object"}, "then": self.ref(objects[0]), "else": {"anyOf": others}}


def _enum(kind: Enum) -> JsonSchema:
    remarks = [_remarks(each) for each in kind.values.values()]
    described = {"enumDescriptions": remarks} if any(remarks) else {}
    return {"anyOf": [{"enum": list(kind.values), **described}, {"type": "string", "pattern": EXPRESSION}]}
