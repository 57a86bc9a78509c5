"""Check nodes against JSON Schema 2020-12; an expression that has not been evaluated satisfies every schema.

fastjsonschema compiles each schema to Python code and accepts nearly every node. A node that it refuses is judged by
jsonschema (see `schema_errors`), which is twenty times slower and says exactly what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastjsonschema import JsonSchemaValueException, compile

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import MappingNode, Node, ScalarNode, SequenceNode
from run_scenarios.syntax.file_names import PLAIN_NAME, find_name_problem

Schema = dict[str, Any]
Check = Callable[[Any], Any]

ANNOTATIONS = frozenset({"title", "description"})
NESTED = ("additionalProperties", "items")
CASE_FILE = "x-case-file"
EXPRESSION = "x-expression"


class _Expression(str):
    """Stands for an expression in the value to check."""


_EXPRESSION = _Expression()

_checks: dict[tuple[int, bool], tuple[Check, Schema]] = {}


def find_schema_errors(node: Node, schema: Schema, what: str, *, confined: bool = True) -> list[Diagnostic]:
    """Return every violation of `schema` in `node`, at the exact key or value.

    :param schema: a constant: the code compiled from it is kept. The keyword `x-case-file`, an extension, says that a
        string names a file in the case's directory.
    :param what: the name of the whole value in messages.
    :param confined: whether files must stay in the case's directory.
    """
    if is_accepted(node, schema, confined=confined):
        return []
    from run_scenarios.syntax.schema_errors import explain_schema_errors

    return explain_schema_errors(node, schema, what, confined=confined)


def is_accepted(node: Node, schema: Schema, *, confined: bool = True) -> bool:
    """Tell whether fastjsonschema accepts a node."""
    key = (id(schema), confined)
    known = _checks.get(key)
    if known is None:
        # The schema is kept too, so that no other schema can get its id.
        known = _checks[key] = (_compile(schema, confined), schema)
    try:
        known[0](_to_checked_value(node))
    except JsonSchemaValueException:
        return False
    return True


def _to_checked_value(node: Any) -> Any:
    kind = type(node)
    if kind is ScalarNode:
        return node.value
    if kind is MappingNode:
        # Most values are scalars; a call for each of them takes a tenth of the check.
        return {
            entry.key: value.value if type(value := entry.value) is ScalarNode else _to_checked_value(value)
            for entry in node.entries
        }
    return [_to_checked_value(item) for item in node.items] if kind is SequenceNode else _EXPRESSION


def _compile(schema: Schema, confined: bool) -> Check:
    formats = {
        EXPRESSION: lambda value: isinstance(value, _Expression),
        CASE_FILE: _is_confined_name if confined else _is_file_name,
    }
    check: Check = compile(_allow_expressions(schema), formats=formats, use_default=False, detailed_exceptions=False)
    return check


def _allow_expressions(schema: Schema) -> Schema:
    """Return the schema that accepts what `schema` does, or an expression in place of any value."""
    accepted = _allow_nested_expressions(schema)
    return {"anyOf": [accepted, {"type": "string", "format": EXPRESSION}]} if accepted else {}


def _allow_nested_expressions(schema: Schema) -> Schema:
    allowed = {key: value for key, value in schema.items() if key not in ANNOTATIONS}
    for key in NESTED:
        if isinstance(schema.get(key), dict):
            allowed[key] = _allow_expressions(schema[key])
    if "properties" in schema:
        allowed["properties"] = {key: _allow_expressions(each) for key, each in schema["properties"].items()}
    if "anyOf" in schema:
        allowed["anyOf"] = [_allow_nested_expressions(each) for each in schema["anyOf"]]
    if allowed.pop(CASE_FILE, False):
        allowed["format"] = CASE_FILE
    return allowed


def _is_confined_name(name: str) -> bool:
    return bool(PLAIN_NAME.fullmatch(name)) or (_is_file_name(name) and not find_name_problem(name))


def _is_file_name(name: str) -> bool:
    return not name.startswith("-")
