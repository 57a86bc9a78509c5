"""Compare a value in a scenario with a type.

The rules are those of QEMU's own input visitor: every key must be declared, keys that are not optional must be there,
and no value is converted to another type. A value that is not known before the run is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.json_types import type_name
from run_scenarios.core.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode
from run_scenarios.core.source import Span
from run_scenarios.qmp.types import (
    DEPRECATED,
    Alternate,
    Array,
    Builtin,
    Enum,
    Features,
    Member,
    Object,
    TypeTable,
)
from run_scenarios.syntax.sizes import parse_byte_size

JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "int": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
MAX_CHOICES = 12


@unchecked_frozen
class TypeChecker:
    """Compares a node, at any depth, with a type.

    :param subject: the owner of the arguments or keys in messages.
    :param noun: the word for one of them in messages.
    :param is_open: whether the outermost object takes keys that the type does not list.
    """

    VERB: ClassVar[str] = "must be"

    table: TypeTable
    subject: str
    noun: str
    is_open: bool = False

    def check_value(
        self, type_: str, node: Node, path: str, span: Span, *, optional: bool = False
    ) -> Iterator[Diagnostic]:
        """Yield what is wrong with a value.

        :param path: its place in the whole, as `file.filename`; "" for the outermost value.
        :param span: its key, to report for what is missing in it.
        :param optional: whether it may be missing.
        """
        if not isinstance(node, ScalarNode | SequenceNode | MappingNode):
            return
        match self.table.types[type_]:
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
                yield from self._check_member(member, entry, below)
            elif path or not self.is_open:
                unknown.append(self._report_unknown_key(kind, entry, below, branch, members))
        yield from unknown
        # One that is misspelt is reported already.
        hints = " ".join(each.hint for each in unknown)
        for name in self._list_required(members):
            if node.entry(name) is None and f"did you mean '{name}'?" not in hints:
                yield self._report(span, f"{self.subject} needs the {self.noun} '{_join_path(path, name)}'{branch}")

    def _list_required(self, members: Mapping[str, Member]) -> list[str]:
        return [name for name, member in members.items() if not member.optional]

    def _check_member(self, member: Member, entry: Entry, path: str) -> Iterator[Diagnostic]:
        if member.since:
            program, version = self.table.program, member.since
            message = f"{self.subject} has no {self.noun} '{path}' yet"
            yield Diagnostic(entry.span, message, f"{program} {version} added it ({self.table})", "warning")
        if member.features:
            yield from warn_if_deprecated(entry.span, self._name(path), member.features, self.table)
        yield from self.check_value(member.type, entry.value, path, entry.span, optional=member.optional)

    def _list_members(self, kind: Object, node: MappingNode) -> tuple[Mapping[str, Member], str]:
        """Return the members that an object may have, and the branch of the union that it is, in words."""
        if kind.variants is None:
            return kind.members, ""
        tag = node.get(kind.tag)
        case = str(tag.value) if isinstance(tag, ScalarNode) else ""
        if case not in kind.variants:
            return self.table.merge_variants(kind), ""
        further, branch = self._list_members(self.table.get_object(kind.variants[case]), node)
        return {**kind.members, **further}, branch or f" with {kind.tag} '{case}'"

    def _check_alternate(self, kind: Alternate, node: Node, path: str, span: Span) -> Iterator[Diagnostic]:
        fitting = next((each for each in kind.types if self._fits(each, node)), None)
        if fitting is not None:
            yield from self.check_value(fitting, node, path, span)
        else:
            wanted = " or ".join(map(self.table.describe_type, kind.types))
            yield self._report(node.span, f"{self._name(path)} {self.VERB} {wanted}, not {describe_node(node)}")

    def _fits(self, type_: str, node: Node) -> bool:
        """Tell whether the JSON type of a node is that of a type."""
        match self.table.types[type_]:
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
                yield from warn_if_deprecated(span, f"'{value}' for {self._name(path)}", features, self.table)
            return
        few = len(kind.values) <= MAX_CHOICES
        choices = f"one of: {', '.join(kind.values)}" if few else f"one of {len(kind.values)} values"
        yield self._report(span, f"{self._name(path)} cannot be '{value}'", did_you_mean(value, kind.values, choices))

    def _report_unknown_key(
        self, kind: Object, entry: Entry, path: str, branch: str, members: Mapping[str, Member]
    ) -> Diagnostic:
        hint = did_you_mean(entry.key, members)
        if not hint and branch:
            variants = (kind.variants or {}).items()
            cases = [case for case, name in variants if entry.key in self.table.get_object(name).members]
            hint = f"only with {kind.tag} {', '.join(cases[:MAX_CHOICES])}" if cases else ""
        takes = f"{self.noun}s: {', '.join(members)}" if 0 < len(members) <= MAX_CHOICES else ""
        return self._report(entry.span, f"{self.subject} has no {self.noun} '{path}'{branch}", hint or takes)

    def _report_wrong_type(self, type_: str, node: Node, path: str) -> Diagnostic:
        wanted = self.table.describe_type(type_)
        found = describe_node(node)
        text = f"{self._name(path)} {self.VERB} {wanted}, not {found}"
        return self._report(node.span, text, _suggest_value(wanted, node))

    def _name(self, path: str) -> str:
        return f"{self.noun} '{path}' of {self.subject}" if path else self.subject

    def _report(self, span: Span, message: str, hint: str = "") -> Diagnostic:
        return Diagnostic(span, message, f"{hint} ({self.table})".lstrip())


def _join_path(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def describe_node(node: Node) -> str:
    """Return the JSON type of a known value, with an article."""
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
            return f"sizes are not converted here: write {parse_byte_size(value)}"
        except ValueError:
            return ""
    return ""


def warn_if_deprecated(span: Span, what: str, features: Features, table: TypeTable) -> Iterator[Diagnostic]:
    """Yield a warning if something has the feature "deprecated"."""
    if DEPRECATED in features:
        name = re.sub(r"\[[0-9]+\]", "[]", what)
        yield Diagnostic(span, f"{name} is deprecated", f"a later version may not have it ({table})", "warning")
