"""`{{ … }}` in string values: sandboxed Jinja2 expressions that keep types. Imports errors and nodes.

A value that is one whole expression takes the native type of its result; an embedded expression becomes text. There are
no statements, no calls and no globals: an expression can look at variables, compute and filter, and nothing else.
Source: Jinja2's `Environment.compile_expression` and `SandboxedEnvironment`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2
import jinja2.meta
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from runner.errors import Span, did_you_mean, mistake, type_name
from runner.nodes import (
    Entry,
    Expression,
    JsonValue,
    Mapping,
    Node,
    Sequence,
    Unknown,
    UnknownValue,
    from_json,
    mapping,
    sequence,
)

Variables = AbstractMapping[str, JsonValue | UnknownValue]

MAX_LENGTH = 1 << 20
MAX_BITS = 4096
SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:([kKMGTPE])(?:i?B)?|[bB])?")
KEPT_FILTERS = [
    "abs",
    "count",
    "default",
    "d",
    "dictsort",
    "first",
    "float",
    "int",
    "items",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "round",
    "select",
    "selectattr",
    "sort",
    "string",
    "sum",
    "unique",
    "upper",
]


def size_in_bytes(text: str) -> int:
    """Return the bytes in `512`, `64k`, `1.5M` or `64KiB`; suffixes are powers of 1024, as in qemu-img's manual.

    :raise ValueError: for anything else, and for a fraction of a byte.
    """
    found = SIZE.fullmatch(text)
    if not found:
        raise ValueError(f"'{text}' is not a size")
    number, suffix = found.groups()
    shift = 10 * (1 + "kMGTPE".index(suffix.replace("K", "k"))) if suffix else 0
    size = int(number) << shift if number.isdigit() else float(number) * (1 << shift)
    if size != int(size):
        raise ValueError(f"'{text}' is not a whole number of bytes")
    return int(size)


def _bytes(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return size_in_bytes(str(value))


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox without calls, whose arithmetic cannot build anything huge."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        raise SecurityError("an expression cannot call functions or methods; use a filter")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            raise SecurityError("'%' formats no text here; write the text around the expression")
        if _result_bound(operator, left, right) > MAX_LENGTH:
            raise SecurityError(f"the result of '{operator}' would be too large")
        return super().call_binop(context, operator, left, right)


def _result_bound(operator: str, left: object, right: object) -> int:
    """Return at least the length of the result, numbers counted so that `MAX_BITS` bits are `MAX_LENGTH`."""
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * max(0, right) if operator == "**" else left.bit_length() + right.bit_length()
        return bits * (MAX_LENGTH // MAX_BITS)
    lengths = [len(side) if isinstance(side, str | list | tuple) else 1 for side in (left, right)]
    if operator == "*":
        times = [side if isinstance(side, int) else 1 for side in (left, right)]
        return max(lengths) * max(times)
    return sum(lengths)


def _to_text(value: object) -> str:
    if isinstance(value, Undefined):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError(f"{type_name(value)} cannot become part of a text; let the expression be the whole value")


class _Omitted:
    """The value of `omit`: the key that gets it is left out."""


OMIT = _Omitted()


def _environment() -> _Environment:
    # Statement and comment marks that no YAML file can contain: only `{{ }}` means anything.
    environment = _Environment(
        block_start_string="\0%",
        block_end_string="%\0",
        comment_start_string="\0#",
        comment_end_string="#\0",
        undefined=StrictUndefined,
        finalize=_to_text,
        autoescape=False,
        keep_trailing_newline=True,
    )
    environment.globals.clear()
    environment.globals["omit"] = OMIT
    environment.filters = {**{name: FILTERS[name] for name in KEPT_FILTERS}, "bytes": _bytes}
    return environment


ENVIRONMENT = _environment()


@dataclass(frozen=True)
class Template:
    """A compiled string: the names it needs, and how to evaluate it."""

    names: frozenset[str]
    evaluate: Callable[[AbstractMapping[str, Any]], object]


@lru_cache(maxsize=4096)
def compile_text(text: str) -> Template:
    """Compile a string that holds at least one `{{ … }}`.

    :raise jinja2.TemplateError: for bad syntax or an unknown filter.
    """
    names = frozenset(jinja2.meta.find_undeclared_variables(ENVIRONMENT.parse(text)) - {"omit"})
    whole = _whole_expression(text)
    if whole is None:
        return Template(names, ENVIRONMENT.from_string(text).render)
    expression = ENVIRONMENT.compile_expression(whole, undefined_to_none=False)
    return Template(names, lambda variables: expression(**variables))


def _whole_expression(text: str) -> str | None:
    tokens = [kind for _, kind, _ in ENVIRONMENT.lex(text)]
    if tokens[0] == "variable_begin" and tokens[-1] == "variable_end" and tokens.count("variable_begin") == 1:
        return text.removeprefix("{{-").removeprefix("{{").removesuffix("-}}").removesuffix("}}")
    return None


def template_of(node: Expression) -> Template:
    """Return the compiled template of a node.

    :raise ScenarioError: for bad syntax, with the position of the value.
    """
    try:
        return compile_text(node.text)
    except jinja2.TemplateError as error:
        raise mistake(node.span, f"bad expression: {error.message}", _filter_hint(str(error.message))) from None


def _filter_hint(message: str) -> str:
    found = re.search(r"No filter named '(\w+)'", message)
    return did_you_mean(found[1], ENVIRONMENT.filters, f"filters: {', '.join(ENVIRONMENT.filters)}") if found else ""


def render(node: Node, variables: Variables) -> Node:
    """Return `node` with every expression replaced by its value, or by `Unknown` where a variable is not known yet.

    :raise ScenarioError: for an unresolved name, a failing expression, or a result that JSON cannot hold.
    """
    if not node.dynamic:
        return node
    match node:
        case Expression():
            return _evaluate(node, variables)
        case Sequence():
            return sequence(node.span, tuple(render(item, variables) for item in node.items))
        case Mapping():
            return _render_mapping(node, variables)
        case _:
            return node


def _render_mapping(node: Mapping, variables: Variables) -> Mapping:
    entries = []
    for entry in node:
        value = (
            _value(entry.value, variables) if isinstance(entry.value, Expression) else render(entry.value, variables)
        )
        if not isinstance(value, _Omitted):
            entries.append(Entry(entry.key, entry.span, value))
    return mapping(node.span, tuple(entries))


def _evaluate(node: Expression, variables: Variables) -> Node:
    value = _value(node, variables)
    if isinstance(value, _Omitted):
        raise mistake(node.span, "'omit' leaves out a key of a mapping; there is none here")
    return value


def _value(node: Expression, variables: Variables) -> Node | _Omitted:
    template = template_of(node)
    check_names(template.names, variables, node.span)
    values = {name: variables[name] for name in template.names}
    if any(isinstance(value, UnknownValue) for value in values.values()):
        return Unknown(node.span)
    try:
        result = template.evaluate(values)
        return result if isinstance(result, _Omitted) else from_json(_json_of(result), node.span)
    except jinja2.UndefinedError as error:
        raise mistake(node.span, f"unresolved: {error.message}") from None
    except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError, AttributeError, LookupError) as error:
        raise mistake(node.span, f"the expression fails: {error}") from None


def check_names(names: Iterable[str], known: Iterable[str], span: Span) -> None:
    """Check that every name is one of the known ones.

    :raise ScenarioError: for the first that is not.
    """
    for name in sorted(set(names) - set(known)):
        nothing = "no variable is set here"
        some = f"set here: {', '.join(sorted(known))}" if known else nothing
        raise mistake(span, f"'{name}' is not set", did_you_mean(name, known, some))


def _json_of(value: object) -> JsonValue:
    """Return the result of an expression as a JSON value; a lazy filter's result becomes a list."""
    match value:
        case Undefined():
            return str(value)
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)
        case dict():
            return {str(key): _json_of(item) for key, item in value.items()}
        case list() | tuple():
            return [_json_of(item) for item in value]
        case Iterator():
            return [_json_of(item) for item in value]
    raise TypeError(f"the result is {type_name(value)}, which JSON does not have")
