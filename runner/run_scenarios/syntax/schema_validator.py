"""Check a node against a JSON Schema. Imports errors and nodes.

A value that is not known yet satisfies every schema. One keyword is ours: `x-case-file` says that a string names a file
in the case's directory. Source: JSON Schema 2020-12; the rule about files is ours.

Each schema is compiled once into a function that tells whether a node is accepted, for nearly every node is. It may be
in doubt about one: `schema_errors` asks jsonschema about each that is not accepted, and says what is wrong in the
author's words. A keyword that is not known here is left to jsonschema too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import MappingNode, Node, ScalarNode, SequenceNode
from run_scenarios.syntax.file_names import PLAIN_NAME, find_name_problem

SCALAR_TYPES = (str, int, float, bool, type(None))
SILENT = frozenset({"title", "description"})
Schema = dict[str, Any]
Accepts = Callable[[Any], bool]

_compiled: dict[tuple[int, bool], tuple[Accepts, Schema]] = {}


def find_schema_errors(node: Node, schema: Schema, what: str, *, confined: bool = True) -> list[Diagnostic]:
    """Return everything in `node` that `schema` refuses, each at the exact key or value.

    :param schema: a constant, for what is compiled from it is kept.
    :param what: how messages call the value as a whole.
    :param confined: whether a file must stay in the case's directory.
    """
    if is_accepted(node, schema, confined=confined):
        return []
    from run_scenarios.syntax.schema_errors import explain_schema_errors

    return explain_schema_errors(node, schema, what, confined=confined)


def is_accepted(node: Node, schema: Schema, *, confined: bool = True) -> bool:
    """Tell whether `schema` is known to accept a node."""
    key = (id(schema), confined)
    known = _compiled.get(key)
    if known is None:
        # The schema is kept with it, so that no other gets its identity.
        known = _compiled[key] = (_compile(schema, confined), schema)
    return known[0](node)


@dataclass(frozen=True)
class _Kinds:
    """What accepts a value, by its kind: a function for each type of a bare value, for mappings and for sequences."""

    scalars: dict[type, Accepts]
    mapping: Accepts
    sequence: Accepts

    def accepts(self) -> Accepts:
        """Return the function that tells whether a node is accepted."""
        scalars, is_mapping, is_sequence = self.scalars, self.mapping, self.sequence

        def accepted(node: Node) -> bool:
            if isinstance(node, ScalarNode):
                return scalars[type(node.value)](node.value)
            if isinstance(node, MappingNode):
                return is_mapping(node)
            return not isinstance(node, SequenceNode) or is_sequence(node)

        return accepted


def _compile(schema: Schema, confined: bool) -> Accepts:
    """Return the function that tells whether a node is accepted."""
    return _always if not schema.keys() - SILENT else _kinds(schema, confined).accepts()


def _kinds(schema: Schema, confined: bool) -> _Kinds:
    if not schema.keys() <= KEYWORDS:
        return _Kinds(dict.fromkeys(SCALAR_TYPES, _never), _never, _never)
    own = _Kinds(
        _scalars(schema, confined),
        _mapping(schema, confined) if _allows(schema, "object") else _never,
        _sequence(schema, confined) if _allows(schema, "array") else _never,
    )
    if "anyOf" not in schema:
        return own
    branches = [_kinds(each, confined) for each in schema["anyOf"]]
    return _Kinds(
        {kind: _both(own.scalars[kind], _either([each.scalars[kind] for each in branches])) for kind in SCALAR_TYPES},
        _both(own.mapping, _either([each.mapping for each in branches])),
        _both(own.sequence, _either([each.sequence for each in branches])),
    )


def _both(one: Accepts, other: Accepts) -> Accepts:
    if _never in (one, other):
        return _never
    if _always in (one, other):
        return one if other is _always else other
    return lambda value: one(value) and other(value)


def _either(checks: list[Accepts]) -> Accepts:
    able = [each for each in checks if each is not _never]
    if _always in able:
        return _always
    if len(able) < 2:
        return able[0] if able else _never
    return lambda value: any(check(value) for check in able)


def _never(node: object) -> bool:
    return False


def _always(node: object) -> bool:
    return True


def _allows(schema: Schema, kind: str) -> bool:
    """Tell whether values of a JSON type may be accepted."""
    kinds = schema.get("type", kind)
    return "enum" not in schema and (kind in kinds if isinstance(kinds, list) else kind == kinds)


def _mapping(schema: Schema, confined: bool) -> Accepts:
    known = {key: _compile(each, confined) for key, each in schema.get("properties", {}).items()}
    further = schema.get("additionalProperties", True)
    other = _compile(further, confined) if isinstance(further, dict) else _always if further else _never
    required = frozenset(schema.get("required", ()))
    least, most = schema.get("minProperties", 0), schema.get("maxProperties", float("inf"))
    is_name = _compile(schema.get("propertyNames", {}), confined)
    any_name, find, needed = "propertyNames" not in schema, known.get, len(required)

    def accepted(node: MappingNode) -> bool:
        entries = node.entries
        if not least <= len(entries) <= most:
            return False
        lacking = needed
        for each in entries:
            if not find(each.key, other)(each.value) or not (any_name or is_name(ScalarNode(each.span, each.key))):
                return False
            lacking -= each.key in required
        return lacking == 0

    return accepted


def _sequence(schema: Schema, confined: bool) -> Accepts:
    is_item = _compile(schema.get("items", {}), confined)
    least, most = schema.get("minItems", 0), schema.get("maxItems", float("inf"))
    return lambda node: least <= len(node.items) <= most and all(map(is_item, node.items))


def _scalars(schema: Schema, confined: bool) -> dict[type, Accepts]:
    """Return what accepts bare values, by type; a whole number written with a fraction is left to jsonschema."""
    whole = _allows(schema, "integer") or _allows(schema, "number")
    return {
        str: _text(schema, confined),
        int: _number(schema) if whole else _never,
        float: _number(schema) if _allows(schema, "number") else _never,
        bool: _always if _allows(schema, "boolean") else _never,
        type(None): _always if _allows(schema, "null") else _never,
    }


def _number(schema: Schema) -> Accepts:
    least, most = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    above = schema.get("exclusiveMinimum", float("-inf"))
    return lambda value: least <= value <= most and value > above


def _text(schema: Schema, confined: bool) -> Accepts:
    if "enum" in schema:
        other = _text({key: value for key, value in schema.items() if key != "enum"}, confined)
        return frozenset(each for each in schema["enum"] if isinstance(each, str) and other(each)).__contains__
    if not _allows(schema, "string"):
        return _never
    check: Accepts = _always
    if "minLength" in schema or "maxLength" in schema:
        least, most = schema.get("minLength", 0), schema.get("maxLength", float("inf"))
        check = _both(check, lambda value: least <= len(value) <= most)
    if "pattern" in schema:
        pattern = re.compile(schema["pattern"])
        check = _both(check, lambda value: pattern.search(value) is not None)
    return _both(check, _is_file(confined)) if "x-case-file" in schema else check


def _is_file(confined: bool) -> Accepts:
    def accepted(name: str) -> bool:
        if PLAIN_NAME.fullmatch(name):
            return True
        return not name.startswith("-") and not (confined and find_name_problem(name))

    return accepted


KEYWORDS = SILENT | {
    "additionalProperties",
    "anyOf",
    "enum",
    "exclusiveMinimum",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "pattern",
    "properties",
    "propertyNames",
    "required",
    "type",
    "x-case-file",
}
