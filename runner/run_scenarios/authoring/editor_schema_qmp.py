"""Add the commands, arguments and events of one QEMU to the JSON Schema that editors use.

It accepts everything that the check before a run accepts. It does not describe results and the keys of events, and
does not restrict a step with `error`, which may be wrong on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from run_scenarios.authoring.editor_schema import EXPRESSION, JsonSchema, allow_expression_or
from run_scenarios.qmp.message_checker import OPEN_COMMANDS
from run_scenarios.qmp.schema import Command, Event, QmpSchema
from run_scenarios.qmp.step_checker import LAUNCHED
from run_scenarios.qmp.types import DEPRECATED, Alternate, Array, Builtin, Enum, Features, Member, Object

BUILTINS: dict[str, JsonSchema] = {
    "string": {"type": "string"},
    "int": allow_expression_or(["integer"], "an integer"),
    "number": allow_expression_or(["number"], "a number"),
    "boolean": allow_expression_or(["boolean"], "true or false"),
    "null": allow_expression_or(["null"], "null"),
    "value": {},
}


def add_qmp(schema: JsonSchema, qmp: QmpSchema) -> JsonSchema:
    """Add the commands, arguments and events of a QEMU to a schema of scenario files, and return it.

    :param schema: the result of `build_editor_schema`; it is changed.
    """
    definitions = schema["definitions"]
    types = _TypeDefinitions(qmp)
    commands = _build_name("command", qmp.commands, qmp)
    capable = {name: each for name, each in qmp.commands.items() if each.allow_oob}
    definitions |= {
        "qmp-command": commands,
        "qmp-command-out-of-band": _build_name("command out of band", capable, qmp),
        "qmp-event": _build_name("event", qmp.events, qmp),
        "qmp-checked": _build_message(definitions["qmp"]["properties"]["qmp"], types),
        "launch-checked": _build_launch(types),
    }
    for verb in ("qmp", "launch"):
        definitions[verb] |= _check_unless_error(verb)
    for verb in ("wait-event", "assert-no-events", "forget-events"):
        _restrict_event(definitions[verb]["properties"][verb])
    # For completion only: `requires` exists for commands that this QEMU lacks.
    required = definitions["scenario"]["properties"]["requires"]["properties"]["commands"]
    required["items"] = {"type": "string", "defaultSnippets": commands["defaultSnippets"]}
    definitions |= types.definitions
    return schema


def _check_unless_error(verb: str) -> JsonSchema:
    checked = {verb: {"$ref": f"#/definitions/{verb}-checked"}}
    return {"if": {"required": ["error"]}, "else": {"properties": checked}}


def _restrict_event(argument: JsonSchema) -> None:
    argument["properties"]["name"] |= {"$ref": "#/definitions/qmp-event"}
    argument["anyOf"] = _build_name_or(argument["type"], "qmp-event")


def _build_launch(types: _TypeDefinitions) -> JsonSchema:
    commands = {key: types.qmp.commands.get(command) for key, command in LAUNCHED.items()}
    return {"properties": {key: {"items": types.refer_to(each.arguments)} for key, each in commands.items() if each}}


def _build_name(what: str, known: Mapping[str, Command | Event], qmp: QmpSchema) -> JsonSchema:
    """Return the schema of the name of a command or event.

    Not an `enum`: editors would show its hundreds of values in every description.
    """
    snippets = [
        {"label": name, "body": name, "description": _list_remarks(each.features) or str(qmp)}
        for name, each in sorted(known.items())
    ]
    return {
        "type": "string",
        "pattern": f"^(?:{'|'.join(map(_escape, sorted(known)))})$|{EXPRESSION}",
        "patternErrorMessage": f"{qmp} has no such {what}.",
        "defaultSnippets": snippets,
    }


def _build_message(argument: JsonSchema, types: _TypeDefinitions) -> JsonSchema:
    # It would hide the description of each command.
    del argument["properties"]["execute"]["description"]
    properties = {
        "execute": {"$ref": "#/definitions/qmp-command"},
        "exec-oob": {"$ref": "#/definitions/qmp-command-out-of-band"},
    }
    return {
        "properties": properties,
        "anyOf": _build_name_or(argument["type"], "qmp-command"),
        "allOf": [_build_command(name, each, types) for name, each in sorted(types.qmp.commands.items())],
    }


def _build_name_or(types: list[str], name: str) -> list[JsonSchema]:
    """Return the choice between a name alone and the other types of an argument."""
    return [{"$ref": f"#/definitions/{name}"}, {"type": [each for each in types if each != "string"]}]


def _build_command(name: str, command: Command, types: _TypeDefinitions) -> JsonSchema:
    """Return the condition on messages that execute this command."""
    remarks = _list_remarks(command.features)
    about = {"description": f"`{name}`, a command of {types.qmp}{remarks and f'. {remarks}.'}"}
    arguments = types.refer_to(command.arguments)
    if name in OPEN_COMMANDS:
        arguments = {**types.build_members(command.arguments), "additionalProperties": True}
    arguments = {**arguments, "title": name, "description": f"the arguments of `{name}`"}
    kind = types.qmp.types[command.arguments]
    needed = isinstance(kind, Object) and not all(each.optional for each in kind.members.values())
    return {
        "if": _require_value("execute", name),
        "then": {
            "properties": {"execute": about, "arguments": arguments},
            **({"required": ["arguments"]} if needed else {}),
        },
    }


def _require_value(key: str, value: str) -> JsonSchema:
    """Return the schema of a mapping with this key and value.

    Not with `const`: while completing, editors mistake the beginning of a constant for the constant.
    """
    return {"properties": {key: {"type": "string", "pattern": f"^{_escape(value)}$"}}, "required": [key]}


def _escape(name: str) -> str:
    # `re.escape` escapes characters that JavaScript does not allow to be escaped.
    return name.replace(".", r"\.")


def _list_remarks(features: Features) -> str:
    return ", ".join(feature.capitalize() for feature in ("deprecated", "unstable") if feature in features)


class _TypeDefinitions:
    """The definitions of the QMP types that a schema refers to, directly or through other types."""

    def __init__(self, qmp: QmpSchema) -> None:
        self.qmp = qmp
        self.definitions: dict[str, JsonSchema] = {}

    def refer_to(self, name: str) -> JsonSchema:
        """Return a reference to a type, which is defined on first use, or a type of JSON itself."""
        kind = self.qmp.types[name]
        if isinstance(kind, Builtin):
            return BUILTINS[kind.json]
        key = "qmp-type-" + re.sub(r"[^\w-]", "_", name)
        if key not in self.definitions:
            # Before the content is built, because it may refer to this type.
            self.definitions[key] = {}
            self.definitions[key] |= self._build_type(name)
        return {"$ref": f"#/definitions/{key}"}

    def build_members(self, name: str) -> JsonSchema:
        """Return the schema of an object's members; in a union, with those of each branch."""
        kind = self.qmp.types[name]
        assert isinstance(kind, Object)
        return self._build_object(kind)

    def _build_type(self, name: str) -> JsonSchema:
        match self.qmp.types[name]:
            case Object() as kind:
                return {**allow_expression_or(["object"], "a mapping"), **self._build_object(kind)}
            case Array() as kind:
                return {**allow_expression_or(["array"], "a list"), "items": self.refer_to(kind.element)}
            case Enum() as kind:
                return _build_enum(kind)
            case Alternate() as kind:
                return self._build_alternate(kind)
        raise AssertionError(name)

    def _build_object(self, kind: Object) -> JsonSchema:
        if kind.variants is None:
            return {**self._build_properties(kind.members), "additionalProperties": False}
        branches = [
            {"if": _require_value(kind.tag, case), "then": self._build_branch(kind, case)} for case in kind.variants
        ]
        return {**self._build_properties(kind.members), "allOf": branches}

    def _build_branch(self, kind: Object, case: str) -> JsonSchema:
        """Return a complete branch of a union: the common members and its own."""
        further = self.qmp.types[(kind.variants or {})[case]]
        assert isinstance(further, Object), "qapi/introspect.json: a variant is always an object"
        return self._build_object(Object({**kind.members, **further.members}, further.tag, further.variants))

    def _build_properties(self, members: Mapping[str, Member]) -> JsonSchema:
        required = [name for name, each in members.items() if not each.optional]
        properties = {name: self._build_member(name, each) for name, each in members.items()}
        return {"properties": properties, **({"required": required} if required else {})}

    def _build_member(self, name: str, member: Member) -> JsonSchema:
        need = "optional" if member.optional else "required"
        remarks = ", ".join(filter(None, (_list_remarks(member.features), self.qmp.describe_type(member.type), need)))
        deprecated = {"deprecated": True} if DEPRECATED in member.features else {}
        return {**self.refer_to(member.type), "title": name, "description": remarks, **deprecated}

    def _build_alternate(self, kind: Alternate) -> JsonSchema:
        """Select a type by the JSON type of the value, so that messages are about one of the types."""
        objects = [each for each in kind.types if isinstance(self.qmp.types[each], Object)]
        others = [self.refer_to(each) for each in kind.types if each not in objects]
        if not objects:
            return {"anyOf": [*others, {"type": "string", "pattern": EXPRESSION}]}
        return {"if": {"type": "object"}, "then": self.refer_to(objects[0]), "else": {"anyOf": others}}


def _build_enum(kind: Enum) -> JsonSchema:
    remarks = [_list_remarks(each) for each in kind.values.values()]
    described = {"enumDescriptions": remarks} if any(remarks) else {}
    return {"anyOf": [{"enum": list(kind.values), **described}, {"type": "string", "pattern": EXPRESSION}]}
