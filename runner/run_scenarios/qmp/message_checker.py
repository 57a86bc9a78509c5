"""Compare QMP messages, and the expected values of results and events, with the schema of a program.

The rules are those of QEMU's own input visitor: every key must be declared, keys that are not optional must be there,
and no value is converted to another type. A value that is not known before the run is accepted.
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
from run_scenarios.syntax.sizes import parse_byte_size

JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "int": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
# Takes the device's properties too, which no introspection lists. Source: qapi/qdev.json, 'gen': false.
OPEN_COMMANDS = frozenset({"device_add"})
MAX_CHOICES = 12


def check_message(message: Node, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what is wrong with a QMP command: `{execute or exec-oob, arguments}`, or its name alone.

    A deprecated name is a diagnostic of severity "warning".
    """
    entry = find_command(message)
    name = entry.value if entry else message
    if not isinstance(name, ScalarNode) or not isinstance(name.value, str):
        return
    command = schema.commands.get(name.value)
    if command is None:
        yield _report_unknown(name.span, "command", name.value, tuple(schema.commands), schema)
        return
    if entry and entry.key == "exec-oob" and not command.allow_oob:
        capable = [each for each in schema.commands if schema.commands[each].allow_oob]
        hint = f"commands that can: {', '.join(capable) or 'none'} ({schema})"
        yield Diagnostic(name.span, f"'{name.value}' cannot be executed out of band", hint)
    if command.features:
        yield from _warn_if_deprecated(name.span, f"'{name.value}'", command.features, schema)
    given = message.entry("arguments") if isinstance(message, MappingNode) else None
    yield from check_arguments(name.value, given.value if given else None, given.span if given else name.span, schema)


def check_arguments(command: str, arguments: Node | None, span: Span, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what is wrong with the arguments of a command that `schema` has.

    :param arguments: None if the message has none.
    :param span: the place to report for a missing argument.
    """
    check = _TypeChecker(schema, f"'{command}'", "argument", is_open=command in OPEN_COMMANDS)
    node = MappingNode(span, (), dynamic=False) if arguments is None else arguments
    yield from check.check_value(schema.commands[command].arguments, node, "", span)


def check_result(command: Command, name: str, expected: Node, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what in an expected value the result of a command can never have."""
    check = _TypeChecker(schema, f"the result of '{name}'", "key", is_expected=True)
    yield from check.check_value(command.returns, expected, "", expected.span)


def check_event_name(name: Node, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what is wrong with the name of an event."""
    if not isinstance(name, ScalarNode) or not isinstance(name.value, str):
        return
    event = schema.events.get(name.value)
    if event is None:
        yield _report_unknown(name.span, "event", name.value, tuple(schema.events), schema)
    else:
        yield from _warn_if_deprecated(name.span, f"event '{name.value}'", event.features, schema)


def check_event(name: str, expected: Node, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what in an expected value an event can never have.

    :param name: the event's name; "" for any event.
    """
    event = schema.events.get(name)
    check = _TypeChecker(schema, f"event '{name}'" if name else "an event", "key", is_expected=True)
    yield from check.check_value(event.message if event else ANY_EVENT, expected, "", expected.span)


def find_command(message: Node) -> Entry | None:
    """Return the entry that names the command of a message, None for a message that is a name alone."""
    if not isinstance(message, MappingNode):
        return None
    return message.entry("execute") or message.entry("exec-oob")


def _report_unknown(span: Span, what: str, name: str, known: tuple[str, ...], schema: QmpSchema) -> Diagnostic:
    hint = did_you_mean(name, known, "if another QEMU has it, list it in 'requires'")
    return Diagnostic(span, f"there is no {what} '{name}'", f"{hint} ({schema})")


def _warn_if_deprecated(span: Span, what: str, features: Features, schema: QmpSchema) -> Iterator[Diagnostic]:
    if DEPRECATED in features:
        name = re.sub(r"\[[0-9]+\]", "[]", what)
        yield Diagnostic(span, f"{name} is deprecated", f"a later version may not have it ({schema})", "warning")


@unchecked_frozen
class _TypeChecker:
    """Compares a node, at any depth, with a type.

    :param subject: the owner of the arguments or keys in messages.
    :param noun: the word for one of them in messages.
    :param is_expected: whether nodes are expected values, which may omit keys and contain operators.
    :param is_open: whether the outermost object takes keys that the schema does not list.
    """

    schema: QmpSchema
    subject: str
    noun: str
    is_expected: bool = False
    is_open: bool = False

    def check_value(self, type_: str, node: Node, path: str, span: Span) -> Iterator[Diagnostic]:
        """Yield what is wrong with a value.

        :param path: its place in the message, as `file.filename`; "" for the outermost value.
        :param span: its key, to report for what is missing in it.
        """
        if not isinstance(node, ScalarNode | SequenceNode | MappingNode):
            return
        if self.is_expected and isinstance(node, MappingNode) and node.entries and node.entries[0].key in OPERATORS:
            yield from self._check_operator(type_, node.entries[0], path)
            return
        match self.schema.types[type_]:
            case Object() as kind if isinstance(node, MappingNode):
                yield from self._check_object(kind, node, path, span)
            case Array() as kind if isinstance(node, SequenceNode):
                for index, item in enumerate(node):
                    yield from self.check_value(kind.element, item, f"{path}[{index}]", item.span)
            case Alternate() as kind:
                yield from self._check_alternate(kind, node, path, span)
            case Enum() as kind if isinstance(node, ScalarNode) and isinstance(node.value, str):
                yield from self._check_choice(kind, node.value, node.span, path)
            case Builtin() as kind if self._has_type(kind, node):
                return
            case _:
                yield self._report_wrong_type(type_, node, path)

    def _check_object(self, kind: Object, node: MappingNode, path: str, span: Span) -> Iterator[Diagnostic]:
        members, branch = self._list_members(kind, node)
        unknown = []
        for entry in node:
            below = _join_path(path, entry.key)
            member = members.get(entry.key)
            if member is not None:
                if member.features:
                    yield from _warn_if_deprecated(entry.span, self._name(below), member.features, self.schema)
                yield from self.check_value(member.type, entry.value, below, entry.span)
            elif path or not self.is_open:
                unknown.append(self._report_unknown_key(kind, entry, below, branch, members))
        yield from unknown
        meant = " ".join(each.hint for each in unknown)
        for name, member in () if self.is_expected else members.items():
            missing = not member.optional and node.entry(name) is None
            # One that is misspelt is reported already.
            if missing and f"did you mean '{name}'?" not in meant:
                yield self._report(span, f"{self.subject} needs the {self.noun} '{_join_path(path, name)}'{branch}")

    def _list_members(self, kind: Object, node: MappingNode) -> tuple[Mapping[str, Member], str]:
        """Return the members that an object may have, and the branch of the union that it is, in words."""
        if kind.variants is None:
            return kind.members, ""
        tag = node.get(kind.tag)
        case = str(tag.value) if isinstance(tag, ScalarNode) else ""
        if case not in kind.variants:
            return {**self._merge_variants(kind, node), **kind.members}, ""
        further, branch = self._list_members(self._get_variant(kind, case), node)
        return {**kind.members, **further}, branch or f" with {kind.tag} '{case}'"

    def _merge_variants(self, kind: Object, node: MappingNode) -> dict[str, Member]:
        """Return the members of all branches; one that has a different type in another branch may be of any type."""
        shared: dict[str, Member] = {}
        for case in kind.variants or ():
            for name, member in self._list_members(self._get_variant(kind, case), node)[0].items():
                known = shared.get(name, member)
                shared[name] = Member(member.type if known.type == member.type else "any", optional=True)
        return shared

    def _get_variant(self, kind: Object, case: str) -> Object:
        variant = self.schema.types[(kind.variants or {})[case]]
        assert isinstance(variant, Object), "qapi/introspect.json: a variant is always an object"
        return variant

    def _check_alternate(self, kind: Alternate, node: Node, path: str, span: Span) -> Iterator[Diagnostic]:
        fitting = next((each for each in kind.types if self._fits(each, node)), None)
        if fitting is not None:
            yield from self.check_value(fitting, node, path, span)
        else:
            wanted = " or ".join(map(self.schema.describe_type, kind.types))
            yield self._report(node.span, f"{self._name(path)} must be {wanted}, not {_describe_type(node)}")

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
                return self._has_type(kind, node)
            case Alternate() as kind:
                return any(self._fits(each, node) for each in kind.types)

    def _has_type(self, kind: Builtin, node: Node) -> bool:
        if kind.json == "value":
            return True
        return isinstance(node, ScalarNode) and type(node.value) in JSON_TYPES[kind.json]

    def _check_choice(self, kind: Enum, value: str, span: Span, path: str) -> Iterator[Diagnostic]:
        if value in kind.values:
            if features := kind.values[value]:
                yield from _warn_if_deprecated(span, f"'{value}' for {self._name(path)}", features, self.schema)
            return
        few = len(kind.values) <= MAX_CHOICES
        choices = f"one of: {', '.join(kind.values)}" if few else f"one of {len(kind.values)} values"
        yield self._report(span, f"{self._name(path)} cannot be '{value}'", did_you_mean(value, kind.values, choices))

    def _check_operator(self, type_: str, operator: Entry, path: str) -> Iterator[Diagnostic]:
        """Check an operand that stands for the value itself, or for one of its items."""
        operand, kind = operator.value, self.schema.types[type_]
        element = kind.element if isinstance(kind, Array) else None
        match operator.key:
            case "$ne" | "$exact" | "$not":
                yield from self.check_value(type_, operand, path, operand.span)
            case "$one-of":
                for item in operand if isinstance(operand, SequenceNode) else ():
                    yield from self.check_value(type_, item, path, item.span)
            case "$unordered" if isinstance(operand, SequenceNode) and element:
                for item in operand:
                    yield from self.check_value(element, item, f"{path}[]", item.span)
            case "$contains" if element:
                yield from self.check_value(element, operand, f"{path}[]", operand.span)

    def _report_unknown_key(
        self, kind: Object, entry: Entry, path: str, branch: str, members: Mapping[str, Member]
    ) -> Diagnostic:
        hint = did_you_mean(entry.key, members)
        if not hint and branch:
            cases = [case for case in kind.variants or () if entry.key in self._get_variant(kind, case).members]
            hint = f"only with {kind.tag} {', '.join(cases[:MAX_CHOICES])}" if cases else ""
        takes = f"{self.noun}s: {', '.join(members)}" if 0 < len(members) <= MAX_CHOICES else ""
        return self._report(entry.span, f"{self.subject} has no {self.noun} '{path}'{branch}", hint or takes)

    def _report_wrong_type(self, type_: str, node: Node, path: str) -> Diagnostic:
        wanted = self.schema.describe_type(type_)
        found = _describe_type(node)
        return self._report(
            node.span, f"{self._name(path)} must be {wanted}, not {found}", _suggest_value(wanted, node)
        )

    def _name(self, path: str) -> str:
        return f"{self.noun} '{path}' of {self.subject}" if path else self.subject

    def _report(self, span: Span, message: str, hint: str = "") -> Diagnostic:
        return Diagnostic(span, message, f"{hint} ({self.schema})".lstrip())


def _join_path(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _describe_type(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return type_name(node.value)
    return "a list" if isinstance(node, SequenceNode) else "a mapping"


def _suggest_value(wanted: str, node: Node) -> str:
    """Return what to write instead of a string that stands for the wanted number, size or boolean."""
    value = node.value if isinstance(node, ScalarNode) else None
    if wanted == "a boolean" and value in ("on", "off", "yes", "no"):
        return f"write {'true' if value in ('on', 'yes') else 'false'}"
    if wanted == "an integer" and isinstance(value, str):
        try:
            return f"QMP takes plain numbers: write {parse_byte_size(value)}"
        except ValueError:
            return ""
    return ""
