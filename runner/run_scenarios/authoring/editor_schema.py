"""Build the JSON Schema of scenario files that editors use.

It accepts everything that the check before a run accepts, and is made for yaml-language-server. It selects between
alternatives with `if` and `dependencies` on the keys that are there, because the server can only guess which branch of
a failed `anyOf` was meant. Values of several types have one schema, because most keywords apply to one type only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from run_scenarios.authoring.reference import extract_documentation, needs_no_argument
from run_scenarios.core.json_types import TYPE_NAMES
from run_scenarios.scenario.file_schema import LIBRARY, MODIFIERS, PROCEDURE, SCENARIO, list_allowed_modifiers
from run_scenarios.steps import VERBS
from run_scenarios.steps.argument_types import BOOLEAN, DURATION_SCHEMA, FORMAT, IMAGE, SIZE, TEXT
from run_scenarios.steps.verb import Verb

JsonSchema = dict[str, Any]

# Not 2020-12: yaml-language-server supports it since 1.20 only, and nothing that it adds is needed here.
DIALECT = "http://json-schema.org/draft-07/schema#"
EXPRESSION = r"\{\{"
STEPS: JsonSchema = {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/step"}}
COMMON = {"text": TEXT, "boolean": BOOLEAN, "size": SIZE, "duration": DURATION_SCHEMA, "format": FORMAT, "image": IMAGE}
EDITOR_TYPE_NAMES = {**TYPE_NAMES, "boolean": "true or false", "null": "nothing"}


def build_editor_schema() -> JsonSchema:
    """Return the JSON Schema of scenario files."""
    return {
        "$schema": DIALECT,
        "title": "Scenario",
        "type": "object",
        "if": {"required": ["procedures"], "not": _require_any(["scenario", "steps"])},
        "then": {"$ref": "#/definitions/library"},
        "else": {"$ref": "#/definitions/scenario"},
        "definitions": _build_definitions(),
    }


def format_schema(schema: JsonSchema) -> str:
    """Return a schema as it is printed."""
    return json.dumps(_mark_markdown(schema), indent=1, ensure_ascii=False)


def _mark_markdown(schema: Any) -> Any:
    """Return a schema whose descriptions are marked as Markdown where that makes a difference."""
    if isinstance(schema, list):
        return [_mark_markdown(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    description = schema.get("description")
    added = {"markdownDescription": description} if isinstance(description, str) and "`" in description else {}
    return {**{key: _mark_markdown(value) for key, value in schema.items()}, **added}


def _build_definitions() -> JsonSchema:
    return {
        "scenario": _build_file_schema(SCENARIO),
        "library": _build_file_schema(LIBRARY),
        "procedure": _build_file_schema(PROCEDURE),
        "step": _build_step(),
        **{name: _allow_expressions(schema) for name, schema in COMMON.items()},
        **{f"modifier-{key}": allow_expressions(schema) for key, schema in MODIFIERS.items()},
        **{name: _build_verb_step(verb) for name, verb in VERBS.items()},
    }


def _build_file_schema(schema: JsonSchema) -> JsonSchema:
    """Return the schema of a file or a procedure, with references to those of steps and procedures."""
    properties = _allow_expressions_below(schema)["properties"]
    by_name = {"type": "object", "additionalProperties": {"$ref": "#/definitions/procedure"}}
    for key, value in (("steps", STEPS), ("procedures", by_name)):
        if key in properties:
            properties[key] = {**value, "description": properties[key]["description"]}
    return {**_allow_expressions_below(schema), "properties": properties}


def _build_step() -> JsonSchema:
    return {
        "if": {"type": "string"},
        "then": {"anyOf": [_build_bare_step(verb) for verb in VERBS.values() if needs_no_argument(verb)]},
        "else": {
            "type": "object",
            "if": _require_any(list(VERBS)),
            "then": {"dependencies": {name: {"$ref": f"#/definitions/{name}"} for name in VERBS}},
            "else": _build_step_without_verb(),
        },
    }


def _build_bare_step(verb: type[Verb]) -> JsonSchema:
    return {"title": verb.NAME, "const": verb.NAME, "markdownDescription": extract_documentation(verb)}


def _build_step_without_verb() -> JsonSchema:
    """Return the schema of a step without a verb, which completes verbs and reports a misspelt one."""
    modifiers = {key: {"$ref": f"#/definitions/modifier-{key}"} for key in MODIFIERS}
    verbs = {name: {"$ref": f"#/definitions/{name}/properties/{name}"} for name in VERBS}
    return {
        "properties": {**verbs, **modifiers},
        "additionalProperties": False,
        "if": {"propertyNames": {"enum": list(modifiers)}, "minProperties": 1},
        "then": {"required": ["a verb"], "errorMessage": "A step needs a verb as well as modifiers."},
    }


def _build_verb_step(verb: type[Verb]) -> JsonSchema:
    argument = {
        "title": verb.NAME,
        **allow_expressions(verb.SCHEMA),
        "markdownDescription": extract_documentation(verb),
    }
    properties = {verb.NAME: argument, **{key: allow_expressions(value) for key, value in verb.SIBLING_KEYS.items()}}
    if verb.HAS_BODY:
        properties["steps"] = {**STEPS, "description": f"the steps that `{verb.NAME}` runs"}
    properties |= {key: {"$ref": f"#/definitions/modifier-{key}"} for key in list_allowed_modifiers(verb)}
    needed = {"required": ["steps"]} if verb.HAS_BODY else {}
    return {"title": verb.NAME, "properties": properties, **needed, "additionalProperties": False}


def _require_any(keys: list[str]) -> JsonSchema:
    return {"anyOf": [{"required": [key]} for key in keys]}


def allow_expressions(schema: JsonSchema) -> JsonSchema:
    """Return a schema that accepts an expression too, in place of every value."""
    for name, common in COMMON.items():
        if {**schema, "description": ""} == {**common, "description": ""}:
            return {"$ref": f"#/definitions/{name}", **_pick(schema, "description")}
    return _allow_expressions(schema)


def _allow_expressions(schema: JsonSchema) -> JsonSchema:
    branches = [_allow_expressions_below(each) for each in schema.get("anyOf", [schema])]
    if not all("type" in each for each in branches):
        return schema
    outer = _pick(schema, "title", "description")
    choices = [_pick(each, "enum") for each in branches if "enum" in each]
    others = _merge_types([each for each in branches if "enum" not in each], outer.get("title", ""))
    return {"anyOf": [*choices, others], **outer} if choices else {**others, **outer}


def _pick(schema: JsonSchema, *keys: str) -> JsonSchema:
    return {key: schema[key] for key in keys if key in schema}


def _allow_expressions_below(schema: JsonSchema) -> JsonSchema:
    changed = {key: value for key, value in schema.items() if key != "x-case-file"}
    if "properties" in schema:
        changed["properties"] = {name: allow_expressions(each) for name, each in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            changed[key] = allow_expressions(schema[key])
    return changed


def _merge_types(branches: list[JsonSchema], title: str) -> JsonSchema:
    """Return one schema for the values of several schemas, whose types must differ, or an expression."""
    types = [kind for each in branches for kind in list_types(each)]
    merged = {key: value for each in reversed(branches) for key, value in each.items()}
    patterns = [each["pattern"] for each in branches if "pattern" in each]
    if "string" in types and not patterns:
        return {**merged, "type": types if len(types) > 1 else "string"}
    expected = title or " or ".join(EDITOR_TYPE_NAMES[kind] for kind in types if kind != "string")
    return {**merged, **allow_expression_or([kind for kind in types if kind != "string"], expected, patterns)}


def allow_expression_or(types: list[str], expected: str, patterns: Sequence[str] = ()) -> JsonSchema:
    """Return the schema of values of these types, and of strings that match a pattern or contain an expression.

    :param expected: the words for it in messages.
    """
    return {
        "type": [*types, "string"] if types else "string",
        "pattern": "|".join([*patterns, EXPRESSION]),
        "patternErrorMessage": f"Expected {expected or 'another text'}, or an expression.",
    }


def list_types(schema: JsonSchema) -> list[str]:
    """Return the JSON types in a schema."""
    kinds = schema["type"]
    return kinds if isinstance(kinds, list) else [kinds]
