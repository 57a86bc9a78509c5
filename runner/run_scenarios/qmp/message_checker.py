"""A message as written against what a QEMU takes, or an expected value against what it gives. Imports match, qapi.

The rules are those of QEMU's own input visitor: no key that is not declared, no key missing that is not optional, and
no value turned from one type into another. What only a running case will know is never wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.json_types import type_name
from run_scenarios.core.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode
from run_scenarios.core.source import Span
from run_scenarios.qmp.schema import (
    ANY_EVENT,
    DEPRECATED,
    Alternate,
    Array,
    Builtin,
    Command,
    Enum,
    Features,
    Member,
    Object,
    QmpSchema,
)
from run_scenarios.syntax.matchers import OPERATORS
from run_scenarios.syntax.render import parse_byte_size

JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "int": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
# Properties of the device join the arguments, and no introspection names them. Source: qapi/qdev.json, 'gen': false.
OPEN_COMMANDS = frozenset({"device_add"})
MAX_CHOICES = 12


def check_message(message: Node, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what is wrong with a QMP command: `{execute or exec-oob, arguments}`, or its name alone.

    What is deprecated is a finding of severity "warning".
    """
    entry = _command_entry(message)
    name = entry.value if entry else message
    if not isinstance(name, ScalarNode) or not isinstance(name.value, str):
        return
    command = schema.commands.get(name.value)
    if command is None:
        yield _unknown(name.span, "command", name.value, tuple(schema.commands), schema)
        return
    if entry and entry.key == "exec-oob" and not command.allow_oob:
        able = [each for each in schema.commands if schema.commands[each].allow_oob]
        hint = f"out of band: {', '.join(able) or 'none'} ({schema})"
        yield Diagnostic(name.span, f"'{name.value}' cannot be executed out of band", hint)
    if command.features:
        yield from _deprecation(name.span, f"'{name.value}'", command.features, schema)
    given = message.entry("arguments") if isinstance(message, MappingNode) else None
    yield from check_arguments(name.value, given.value if given else None, given.span if given else name.span, schema)


def check_arguments(command: str, arguments: Node | None, span: Span, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what is wrong with the arguments of a command that `schema` has; None stands for no arguments.

    :param span: what lacks an argument which is missing at the top.
    """
    check = _Check(schema, f"'{command}'", "argument", open_top=command in OPEN_COMMANDS)
    node = MappingNode(span, (), dynamic=False) if arguments is None else arguments
    yield from check.value(schema.commands[command].arguments, node, "", span)


def check_result(command: Command, name: str, expected: Node, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what an expected value says that the result of a command can never be."""
    check = _Check(schema, f"the result of '{name}'", "key", matching=True)
    yield from check.value(command.returns, expected, "", expected.span)


def check_event_name(name: Node, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what is wrong with the name of an event."""
    if not isinstance(name, ScalarNode) or not isinstance(name.value, str):
        return
    event = schema.events.get(name.value)
    if event is None:
        yield _unknown(name.span, "event", name.value, tuple(schema.events), schema)
    else:
        yield from _deprecation(name.span, f"event '{name.value}'", event.features, schema)


def check_event(name: str, expected: Node, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what an expected value says that the message of an event can never be.

    :param name: the event's name; "" for any event.
    """
    event = schema.events.get(name)
    check = _Check(schema, f"event '{name}'" if name else "an event", "key", matching=True)
    yield from check.value(event.message if event else ANY_EVENT, expected, "", expected.span)


def _command_entry(message: Node) -> Entry | None:
    if not isinstance(message, MappingNode):
        return None
    return message.entry("execute") or message.entry("exec-oob")


def _unknown(span: Span, what: str, name: str, known: tuple[str, ...], schema: QmpSchema) -> Diagnostic:
    hint = did_you_mean(name, known, "a scenario for another QEMU says so in 'requires'")
    return Diagnostic(span, f"there is no {what} '{name}'", f"{hint} ({schema})")


def _deprecation(span: Span, what: str, features: Features, schema: QmpSchema) -> Iterator[Diagnostic]:
    if DEPRECATED in features:
        name = re.sub(r"\[[0-9]+\]", "[]", what)
        yield Diagnostic(span, f"{name} is deprecated", f"it may be gone from a later version ({schema})", "warning")


@unchecked_frozen
class _Check:
    """Checks a node, however deep, against a type.

    :param subject: what messages say has the arguments or keys.
    :param noun: how they call one of them.
    :param matching: whether nodes are expected values: keys may be left out, and operators stand for values.
    :param open_top: whether the top takes keys that the schema does not name.
    """

    schema: QmpSchema
    subject: str
    noun: str
    matching: bool = False
    open_top: bool = False

    def value(self, type_: str, node: Node, path: str, span: Span) -> Iterator[Diagnostic]:
        """Yield what is wrong with a value.

        :param path: which one it is, as `file.filename`; "" for the top.
        :param span: that of its key: where something is missing in it.
        """
        if not isinstance(node, ScalarNode | SequenceNode | MappingNode):
            return
        if self.matching and isinstance(node, MappingNode) and node.entries and node.entries[0].key in OPERATORS:
            yield from self._operator(type_, node.entries[0], path)
            return
        match self.schema.types[type_]:
            case Object() as kind if isinstance(node, MappingNode):
                yield from self._object(kind, node, path, span)
            case Array() as kind if isinstance(node, SequenceNode):
                for index, item in enumerate(node):
                    yield from self.value(kind.element, item, f"{path}[{index}]", item.span)
            case Alternate() as kind:
                yield from self._alternate(kind, node, path, span)
            case Enum() as kind if isinstance(node, ScalarNode) and isinstance(node.value, str):
                yield from self._choice(kind, node.value, node.span, path)
            case Builtin() as kind if self._is_of(kind, node):
                return
            case _:
                yield self._misfit(type_, node, path)

    def _object(self, kind: Object, node: MappingNode, path: str, span: Span) -> Iterator[Diagnostic]:
        members, branch = self._members(kind, node)
        strangers = []
        for entry in node:
            below = _join(path, entry.key)
            member = members.get(entry.key)
            if member is not None:
                if member.features:
                    yield from _deprecation(entry.span, self._named(below), member.features, self.schema)
                yield from self.value(member.type, entry.value, below, entry.span)
            elif path or not self.open_top:
                strangers.append(self._stranger(kind, entry, below, branch, members))
        yield from strangers
        meant = " ".join(each.hint for each in strangers)
        for name, member in () if self.matching else members.items():
            missing = not member.optional and node.entry(name) is None
            # One that is there misspelt is reported already.
            if missing and f"did you mean '{name}'?" not in meant:
                yield self._finding(span, f"{self.subject} needs the {self.noun} '{_join(path, name)}'{branch}")

    def _members(self, kind: Object, node: MappingNode) -> tuple[Mapping[str, Member], str]:
        """Return the members that an object of these keys may have, and in words which branch of a union that is."""
        if kind.variants is None:
            return kind.members, ""
        tag = node.get(kind.tag)
        case = str(tag.value) if isinstance(tag, ScalarNode) else ""
        if case not in kind.variants:
            return {**self._shared(kind, node), **kind.members}, ""
        further, branch = self._members(self._variant(kind, case), node)
        return {**kind.members, **further}, branch or f" with {kind.tag} '{case}'"

    def _shared(self, kind: Object, node: MappingNode) -> dict[str, Member]:
        """Return the members of every branch, held to what all branches that have them agree on."""
        shared: dict[str, Member] = {}
        for case in kind.variants or ():
            for name, member in self._members(self._variant(kind, case), node)[0].items():
                known = shared.get(name, member)
                shared[name] = Member(member.type if known.type == member.type else "any", optional=True)
        return shared

    def _variant(self, kind: Object, case: str) -> Object:
        variant = self.schema.types[(kind.variants or {})[case]]
        assert isinstance(variant, Object), "qapi/introspect.json: a variant is always an object"
        return variant

    def _alternate(self, kind: Alternate, node: Node, path: str, span: Span) -> Iterator[Diagnostic]:
        fitting = next((each for each in kind.types if self._fits(each, node)), None)
        if fitting is not None:
            yield from self.value(fitting, node, path, span)
        else:
            wanted = " or ".join(map(self.schema.type_name, kind.types))
            yield self._finding(node.span, f"{self._named(path)} must be {wanted}, not {_type_of(node)}")

    def _fits(self, type_: str, node: Node) -> bool:
        """Tell whether the JSON type of a node is that of a type."""
        match self.schema.types[type_]:
            case Object():
                return isinstance(node, MappingNode)
            case Array():
                return isinstance(node, SequenceNode)
            case Enum():
                return isinstance(node, ScalarNode) and isinstance(node.value, str)
            case Builtin() as kind:
                return self._is_of(kind, node)
            case Alternate() as kind:
                return any(self._fits(each, node) for each in kind.types)

    def _is_of(self, kind: Builtin, node: Node) -> bool:
        if kind.json == "value":
            return True
        return isinstance(node, ScalarNode) and type(node.value) in JSON_TYPES[kind.json]

    def _choice(self, kind: Enum, value: str, span: Span, path: str) -> Iterator[Diagnostic]:
        if value in kind.values:
            if features := kind.values[value]:
                yield from _deprecation(span, f"'{value}' for {self._named(path)}", features, self.schema)
            return
        few = len(kind.values) <= MAX_CHOICES
        choices = f"one of: {', '.join(kind.values)}" if few else f"one of {len(kind.values)} others"
        yield self._finding(span, f"{self._named(path)} cannot be '{value}'", did_you_mean(value, kind.values, choices))

    def _operator(self, type_: str, operator: Entry, path: str) -> Iterator[Diagnostic]:
        """An operand is checked where it stands for the value, or for one of its items, itself."""
        operand, kind = operator.value, self.schema.types[type_]
        element = kind.element if isinstance(kind, Array) else None
        match operator.key:
            case "$ne" | "$exact" | "$not":
                yield from self.value(type_, operand, path, operand.span)
            case "$one-of":
                for item in operand if isinstance(operand, SequenceNode) else ():
                    yield from self.value(type_, item, path, item.span)
            case "$unordered" if isinstance(operand, SequenceNode) and element:
                for item in operand:
                    yield from self.value(element, item, f"{path}[]", item.span)
            case "$contains" if element:
                yield from self.value(element, operand, f"{path}[]", operand.span)

    def _stranger(
        self, kind: Object, entry: Entry, path: str, branch: str, members: Mapping[str, Member]
    ) -> Diagnostic:
        hint = did_you_mean(entry.key, members)
        if not hint and branch:
            cases = [case for case in kind.variants or () if entry.key in self._variant(kind, case).members]
            hint = f"there is one with {kind.tag} {', '.join(cases[:MAX_CHOICES])}" if cases else ""
        takes = f"{self.noun}s: {', '.join(members)}" if 0 < len(members) <= MAX_CHOICES else ""
        return self._finding(entry.span, f"{self.subject} has no {self.noun} '{path}'{branch}", hint or takes)

    def _misfit(self, type_: str, node: Node, path: str) -> Diagnostic:
        wanted = self.schema.type_name(type_)
        found = _type_of(node)
        return self._finding(node.span, f"{self._named(path)} must be {wanted}, not {found}", _mend(wanted, node))

    def _named(self, path: str) -> str:
        return f"{self.noun} '{path}' of {self.subject}" if path else self.subject

    def _finding(self, span: Span, message: str, hint: str = "") -> Diagnostic:
        return Diagnostic(span, message, f"{hint} ({self.schema})".lstrip())


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _type_of(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return type_name(node.value)
    return "a list" if isinstance(node, SequenceNode) else "a mapping"


def _mend(wanted: str, node: Node) -> str:
    """Return what to write instead, where a string is the number, size or boolean that is wanted."""
    value = node.value if isinstance(node, ScalarNode) else None
    if wanted == "a boolean" and value in ("on", "off", "yes", "no"):
        return f"write {'true' if value in ('on', 'yes') else 'false'}"
    if wanted == "an integer" and isinstance(value, str):
        try:
            return f"QMP takes plain numbers: write {parse_byte_size(value)}"
        except ValueError:
            return ""
    return ""
