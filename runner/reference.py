"""What is published of the language: the JSON Schema for editors, the reference of steps. Imports language, steps."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from typing import Any

from runner.language import MODIFIERS, PROCEDURE, SCENARIO
from runner.match import OPERATORS
from runner.steps import VERBS
from runner.steps.base import FlowVerb, Verb

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"
EXPRESSION = {"type": "string", "pattern": "\\{\\{.*\\}\\}", "description": "an expression"}
STEPS_REF = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/step"}}
LITERAL_KEYS = ("enum", "const", "default", "required", "propertyNames")


def published_schema() -> str:
    """Return the JSON Schema of scenario files, as text, with every typed value open to an expression."""
    schema = {
        "$schema": SCHEMA_ID,
        "title": "A test scenario for QEMU's block layer, or a file of procedures",
        "anyOf": [{"$ref": "#/$defs/scenario"}, {"$ref": "#/$defs/library"}],
        "$defs": {
            "scenario": _with_steps(SCENARIO),
            "library": _library(),
            "procedure": _with_steps(PROCEDURE),
            "step": {"anyOf": [_bare_step(), *map(_step, VERBS.values())]},
        },
    }
    return json.dumps(schema, indent=2, ensure_ascii=False)


def _library() -> dict[str, Any]:
    schema = _with_steps(SCENARIO)
    keep = ("import", "procedures", "allow-outside-paths", "summary")
    return {**schema, "properties": {key: schema["properties"][key] for key in keep}, "required": ["procedures"]}


def _with_steps(schema: dict[str, Any]) -> dict[str, Any]:
    properties = dict(schema["properties"])
    if "steps" in properties:
        properties["steps"] = {**STEPS_REF, "description": properties["steps"]["description"]}
    if "procedures" in properties:
        by_name = {"type": "object", "additionalProperties": {"$ref": "#/$defs/procedure"}}
        properties["procedures"] = {**by_name, "description": properties["procedures"]["description"]}
    return {**_plain(schema), "properties": {key: _plain(value) for key, value in properties.items()}}


def _bare_step() -> dict[str, Any]:
    return {"type": "string", "enum": [name for name, verb in VERBS.items() if takes_nothing(verb)]}


def takes_nothing(verb: type[Verb]) -> bool:
    """Tell whether a verb may stand alone as a string."""
    branches = verb.SCHEMA.get("anyOf", [verb.SCHEMA])
    return any(branch.get("type") == "null" for branch in branches)


def _step(verb: type[Verb]) -> dict[str, Any]:
    argument = {**_open(verb.SCHEMA), "markdownDescription": _prose(verb)}
    properties = {verb.NAME: argument, **{key: _open(value) for key, value in verb.COMPANIONS.items()}}
    if verb.TAKES_STEPS:
        properties["steps"] = STEPS_REF
    properties |= {key: _open(MODIFIERS[key]) for key in modifiers_of(verb)}
    required = [verb.NAME, *(["steps"] if verb.TAKES_STEPS else [])]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def modifiers_of(verb: type[Verb]) -> list[str]:
    """Return the modifiers that may stand beside a verb."""
    refused = set()
    if not verb.RESULT:
        refused.add("expect")
    if not verb.FAILS_WITH:
        refused.add("error")
    if not verb.RESULT and not verb.FAILS_WITH:
        refused.add("save")
    if issubclass(verb, FlowVerb):
        refused.add("vm")
    return [key for key in MODIFIERS if key not in refused]


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without our own keyword."""
    return {key: _map(value, _plain) for key, value in schema.items() if key != "x-case-file"}


def _open(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that takes an expression wherever it wants another type than a string."""
    opened = {key: _map(value, _open) if key not in LITERAL_KEYS else value for key, value in _plain(schema).items()}
    if "anyOf" in opened:
        return {**opened, "anyOf": [*opened["anyOf"], EXPRESSION]}
    kinds = opened.get("type", [])
    if "enum" in opened or (kinds and "string" not in ([kinds] if isinstance(kinds, str) else kinds)):
        outer: dict[str, Any] = {key: opened.pop(key) for key in ("description", "title") if key in opened}
        return {**outer, "anyOf": [opened, EXPRESSION]}
    return opened


def _map(value: Any, change: Any) -> Any:
    if isinstance(value, dict):
        if all(isinstance(each, dict) for each in value.values()) and "type" not in value and "anyOf" not in value:
            return {key: change(each) for key, each in value.items()}
        return change(value)
    if isinstance(value, list):
        return [change(each) if isinstance(each, dict) else each for each in value]
    return value


def _prose(verb: type[Verb]) -> str:
    return re.sub(
        r"\.\. code-block:: yaml\n\n((?:    .*\n|\n)+)", _fenced, inspect.cleandoc(verb.__doc__ or "") + "\n"
    ).strip()


def _fenced(found: re.Match[str]) -> str:
    return f"```yaml\n{textwrap.dedent(found[1]).strip()}\n```\n"


def example_of(verb: type[Verb]) -> str:
    """Return the YAML steps in a verb's documentation."""
    found = re.search(r"```yaml\n(.*?)```", _prose(verb), re.DOTALL)
    return found[1] if found else ""


def step_reference() -> str:
    """Return the reference of all verbs, modifiers and operators as Markdown."""
    parts = [REFERENCE_HEAD.strip(), _modifier_table(), "## Verbs", *map(_section, VERBS.values()), _operator_table()]
    return "\n\n".join(parts)


REFERENCE_HEAD = """
# Step reference

Generated from the verbs themselves by `run-scenarios --print-reference`. A step is a mapping with exactly one verb, and
modifiers beside it; a verb that needs nothing may stand alone: `- shutdown`. Any value may be an expression:
`"{{ … }}"`.
"""


def _modifier_table() -> str:
    rows = [f"| `{key}` | {schema['description']} |" for key, schema in MODIFIERS.items()]
    return "\n".join(["## Modifiers", "", "| modifier | meaning |", "|---|---|", *rows])


def _operator_table() -> str:
    rows = [f"| `{name}` | {operator.doc} |" for name, operator in OPERATORS.items()]
    text = "A mapping matches a superset, a list exactly, a scalar by value and type. An operator stands alone:"
    return "\n".join(["## Expected values", "", text, "", "| operator | matches |", "|---|---|", *rows])


def _section(verb: type[Verb]) -> str:
    lines = [f"### `{verb.NAME}`", _prose(verb)]
    table = _key_table(verb)
    if table:
        lines.append(table)
    if verb.RESULT:
        lines.append(f"`save` and `expect` get: {verb.RESULT}.")
    if verb.FAILS_WITH:
        lines.append(f"`error` is matched against: {verb.FAILS_WITH}.")
    return "\n\n".join(lines)


def _key_table(verb: type[Verb]) -> str:
    branches = [*verb.SCHEMA.get("anyOf", [verb.SCHEMA]), {"properties": verb.COMPANIONS}]
    rows = []
    for branch in branches:
        for key, schema in branch.get("properties", {}).items():
            needed = " (needed)" if key in branch.get("required", []) else ""
            rows.append(f"| `{key}`{needed} | {schema.get('description', '')} |")
    return "\n".join(["| key | meaning |", "|---|---|", *rows]) if rows else ""
