"""Word the errors that jsonschema finds in a node, at the position of each.

Imported only once a node has errors, because importing jsonschema takes long.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean, find_closest
from run_scenarios.core.json_types import TYPE_NAMES, type_name
from run_scenarios.core.nodes import UNKNOWN, ExpressionNode, Node, ScalarNode, UnknownNode, find_at_path, to_partial
from run_scenarios.core.source import Span
from run_scenarios.syntax.file_names import LOCAL_HINT, find_name_problem

EXPECTED_TYPES = {**TYPE_NAMES, "null": "nothing"}
MAX_UNKNOWN = 20
LIMITS = {
    "minimum": ("must be at least {}", "found {}"),
    "maximum": ("must be at most {}", "found {}"),
    "exclusiveMinimum": ("must be above {}", "found {}"),
    "minItems": ("needs at least {} items", "{}"),
    "maxItems": ("takes at most {} items", ""),
    "minLength": ("must not be empty", ""),
    "minProperties": ("must not be empty", ""),
    "maxProperties": ("takes {} key only", ""),
}
Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]


def explain_schema_errors(node: Node, schema: dict[str, Any], what: str, *, confined: bool) -> list[Diagnostic]:
    """Return every violation of `schema` in `node`."""
    validator = (CONFINED if confined else UNCONFINED)(schema)
    return [found for error in validator.iter_errors(to_partial(node)) for found in _explain(error, node, what)]


def _unless_unknown(keyword: Keyword) -> Keyword:
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if instance is not UNKNOWN:
            yield from keyword(validator, value, instance, schema) or ()

    return check


def _case_file(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    problem = find_name_problem(instance) if isinstance(instance, str) else ""
    if problem:
        yield ValidationError(problem)


def _option_like(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and instance.startswith("-"):
        yield ValidationError(f"'{instance}' would be read as an option")


def _extend_validator(file_keyword: Keyword) -> Any:
    keywords = {**Draft202012Validator.VALIDATORS, "x-case-file": file_keyword}
    wrapped = {name: _unless_unknown(keyword) for name, keyword in keywords.items()}
    return extend(Draft202012Validator, wrapped)  # type: ignore[no-untyped-call]


def _both(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    yield from _option_like(validator, value, instance, schema)
    yield from _case_file(validator, value, instance, schema)


CONFINED = _extend_validator(_both)
UNCONFINED = _extend_validator(_option_like)


def _explain(error: Any, node: Node, what: str) -> Iterator[Diagnostic]:
    path = tuple(error.absolute_path)
    if error.validator == "enum" and not isinstance(error.instance, str):
        return  # Its type has been reported.
    if error.validator == "anyOf":
        yield from _explain_choice(error, node, what)
    elif error.validator == "additionalProperties":
        yield from _explain_unknown_keys(error, node, path, what)
    elif error.validator == "required":
        yield from _explain_missing_key(error, node, path, what)
    elif "propertyNames" in error.absolute_schema_path:
        span, _ = find_at_path(node, (*path, error.instance))
        yield Diagnostic(span, f"'{error.instance}' in {_name_value(path, what)} must be {error.schema['title']}")
    else:
        yield Diagnostic(_find_span(node, path), *_word(error, _name_value(path, what)))


def _find_span(node: Node, path: tuple[str | int, ...]) -> Span:
    """Return the span to show for a wrong value: its own if it is a scalar, else that of its key."""
    span, value = find_at_path(node, path)
    return value.span if isinstance(value, ScalarNode | ExpressionNode | UnknownNode) and not _is_empty(value) else span


def _is_empty(value: Node) -> bool:
    return isinstance(value, ScalarNode) and value.value is None


def _name_value(path: tuple[str | int, ...], what: str) -> str:
    keys = [part for part in path if isinstance(part, str)]
    name = f"'{keys[-1]}'" if keys else what
    return f"item {path[-1] + 1} of {name}" if path and isinstance(path[-1], int) else name


def _explain_missing_key(error: Any, node: Node, path: tuple[str | int, ...], what: str) -> Iterator[Diagnostic]:
    found = re.match(r"'(.*)' is a required property", error.message)
    missing, known = found[1] if found else "?", error.schema.get("properties", {})
    closed = error.schema.get("additionalProperties") is False
    if closed and any(missing == find_closest(key, known) for key in error.instance if key not in known):
        return  # The misspelt key has been reported.
    says = known.get(missing, {}).get("description")
    span, _ = find_at_path(node, path)
    yield Diagnostic(span, f"{_name_value(path, what)} needs '{missing}'", f"{missing}: {says}" if says else "")


def _word(error: Any, name: str) -> tuple[str, str]:
    found = json.dumps(error.instance, default=str)
    found = found if len(found) < 60 else f"{found[:60]}…"
    if error.validator == "type" and error.validator_value == "null":
        return f"{name} takes no argument", f"found {found}"
    if error.validator == "type":
        wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        text = f"{name} must be {_join_types(wanted)}, not {_describe(error.instance, found)}"
        return text, _suggest_type(error.instance, wanted)
    if error.validator == "enum":
        known = [str(value) for value in error.validator_value]
        return f"{name} cannot be {found}", did_you_mean(str(error.instance), known, f"one of: {', '.join(known)}")
    if error.validator == "x-case-file":
        return error.message, f"write './{error.instance}'" if "option" in error.message else LOCAL_HINT
    if error.validator in LIMITS:
        what, hint = LIMITS[error.validator]
        empty = not error.instance and error.validator.startswith("min") and error.validator != "minimum"
        limit = "must not be empty" if empty else what.format(error.validator_value)
        return f"{name} {limit}", hint.format("" if empty else found)
    if "title" in error.schema:
        return f"{name} must be {error.schema['title']}, not {found}", ""
    return f"{name} cannot be {found}", error.schema.get("description", "")


def _join_types(types: list[str]) -> str:
    names = [EXPECTED_TYPES[name] for name in types]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _describe(instance: object, found: str) -> str:
    bare = isinstance(instance, dict | list) or instance is None
    return type_name(instance) if bare else f"{type_name(instance)} ({found})"


def _suggest_type(instance: object, wanted: list[str]) -> str:
    if isinstance(instance, str) and {"integer", "number", "boolean"} & set(wanted):
        return "without quotes" if re.fullmatch(r"-?[0-9.]+|true|false|0x[0-9a-fA-F]+", instance) else ""
    if "string" in wanted and isinstance(instance, int | float | bool):
        return "put it in quotes"
    return ""


def _explain_unknown_keys(error: Any, node: Node, path: tuple[str | int, ...], what: str) -> Iterator[Diagnostic]:
    known = error.schema.get("properties", {})
    unknown = (key for key in error.instance if key not in known)
    for key in itertools.islice(unknown, MAX_UNKNOWN):
        span, _ = find_at_path(node, (*path, key))
        hint = did_you_mean(key, known, f"keys: {', '.join(known)}" if known else "")
        yield Diagnostic(span, f"unknown key '{key}' in {_name_value(path, what)}", hint)


def _explain_choice(error: Any, node: Node, what: str) -> Iterator[Diagnostic]:
    """Explain by the branch that the author most likely meant: the one for the type of the value."""
    branches: dict[int, list[ValidationError]] = {}
    for each in error.context or ():
        branches.setdefault(int(each.schema_path[0]), []).append(each)
    meant = [errors for errors in branches.values() if not any(_is_at_root(each, "type") for each in errors)]
    if len(meant) > 1:
        meant = [min(meant, key=len)]
    path = tuple(error.absolute_path)
    if meant and "title" not in error.schema:
        for each in meant[0]:
            yield from _explain(each, node, what)
        return
    span = _find_span(node, path)
    found = json.dumps(error.instance, default=str)[:60]
    wanted = error.schema.get("title")
    if wanted:
        yield Diagnostic(span, f"{_name_value(path, what)} must be {wanted}, not {found}")
        return
    types = [kind for branch in error.schema["anyOf"] for kind in _list_types(branch)]
    yield Diagnostic(
        span, f"{_name_value(path, what)} must be {_join_types(types)}, not {_describe(error.instance, found)}"
    )


def _is_at_root(error: ValidationError, validator: str) -> bool:
    return error.validator == validator and not error.relative_path


def _list_types(schema: dict[str, Any]) -> list[str]:
    kind = schema.get("type", [])
    return kind if isinstance(kind, list) else [kind]
