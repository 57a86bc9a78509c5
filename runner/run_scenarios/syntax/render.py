"""`{{ … }}` in string values: sandboxed Jinja2 expressions that keep types. Imports errors and nodes.

A value that is one whole expression takes the native type of its result; an embedded expression becomes text. There are
no statements, no calls and no globals: an expression can look at variables, compute and filter, and nothing else.
Source: Jinja2's `Environment.compile_expression` and `SandboxedEnvironment`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import jinja2
import jinja2.meta
import jinja2.nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.errors import scenario_error
from run_scenarios.core.json_types import type_name
from run_scenarios.core.nodes import (
    Entry,
    ExpressionNode,
    JsonValue,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    UnknownNode,
    UnknownValue,
    from_json,
    make_mapping,
    make_sequence,
)
from run_scenarios.core.source import Span

Variables = Mapping[str, JsonValue | UnknownValue]

MAX_LENGTH = 1 << 16
MAX_BITS = 1024
MAX_VALUES = 20_000
MAX_DIGITS = 20
MAX_MENTIONED = 500_000
MAX_DEPTH = 100
MAX_SIZE = (1 << 63) - 1
MAX_TEXT = 1 << 13
MAX_PARTS = 100
# A filter of Jinja's does not look what type it is given.
FAILS = (jinja2.TemplateError, ArithmeticError, AttributeError, TypeError, ValueError, LookupError, RecursionError)
NO_CALLS = "an expression cannot call functions or methods; use a filter"
SYNTAX_HINTS = {
    "&": "write 'and'",
    "|": "write 'or'; one '|' comes before a filter",
    "!": "write 'not'; '!=' is written without a space",
    "=": "compare with '=='",
    "?": "write 'this if condition else that'",
    "{": "an expression within an expression needs no braces of its own",
    "}": "an expression ends with '}}'",
    "'": "this quote is not closed",
    '"': "this quote is not closed",
}
SIZE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*(?:([kKMGTPE])(?:i?B)?|[bB])?")
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
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "select",
    "selectattr",
    "sort",
    "unique",
]


def parse_byte_size(text: str) -> int:
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
    if size > MAX_SIZE:
        raise ValueError(f"'{text}' is more than QEMU can count, 2^63 - 1 bytes")
    return int(size)


def _bytes(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return parse_byte_size(str(value))


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox without calls and attributes, whose arithmetic cannot build anything huge."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        raise SecurityError(NO_CALLS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a value of a mapping; JSON has no attributes, and `.items` is a key like any other."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item of a mapping, a list or a string, or the undefined value that says what there is."""
        if isinstance(obj, Undefined):
            return obj[argument]  # An undefined value says what it is.
        try:
            return obj[argument]
        except (LookupError, TypeError):
            return self.undefined(_no_such_item(obj, argument))

    left = 0
    """How much the operators of the expression at hand may still make."""

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            raise SecurityError("'%' formats no text here; write the text around the expression")
        if _result_bound(operator, left, right) > MAX_LENGTH:
            raise SecurityError(f"the result of '{operator}' would be too large")
        result = super().call_binop(context, operator, left, right)
        self.left -= _weight(result, self.left)
        if self.left < 0:
            raise SecurityError("the expression makes too much on its way")
        return result


def _weight(value: object, limit: int) -> int:
    """Return how many values and characters there are in a value, however often the same; enough above a limit."""
    count, left = 0, [value]
    while left and count <= limit:
        match left.pop():
            case str() as text:
                count += len(text)
            case list() | tuple() as items:
                left.extend(items)
            case dict() as items:
                left.extend(items.values())
        count += 1
    return count


def _no_such_item(obj: object, argument: object) -> str:
    if isinstance(obj, dict):
        hint = did_you_mean(str(argument), map(str, obj), f"keys: {', '.join(map(str, obj)) or 'none'}")
        return f"there is no key '{argument}'; {hint}"
    if isinstance(obj, list | str) and isinstance(argument, int):
        return f"there is no item {argument} in {type_name(obj)} of length {len(obj)}"
    return f"{type_name(obj)} has no '{argument}'"


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
    if isinstance(value, _Omitted):
        raise TypeError("'omit' leaves out a whole key of a mapping, not a part of a text")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"the result is no number: {value}")
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError(f"{type_name(value)} cannot become part of a text; let the expression be the whole value")


def _round(value: float, precision: int = 0, method: str = "common") -> float:
    if abs(precision) > MAX_DIGITS:
        raise ValueError(f"no number has more than {MAX_DIGITS} digits to round to")
    return FILTERS["round"](value, precision, method)  # type: ignore[no-any-return]


@jinja2.pass_environment
def _sum(environment: _Environment, items: Iterable[Any], attribute: str | int | None = None, start: float = 0) -> Any:
    if not isinstance(start, int | float):
        raise TypeError("'sum' adds numbers only")
    return FILTERS["sum"](environment, items, attribute, start)


SAFE_FILTERS: dict[str, Callable[..., Any]] = {
    "bytes": _bytes,
    "lower": lambda value: _to_text(value).lower(),
    "round": _round,
    "string": lambda value: _to_text(value),
    "sum": _sum,
    "upper": lambda value: _to_text(value).upper(),
}
"""Ours, or in the place of Jinja's that build something huge of something small."""


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
        optimized=False,  # Folding constants would write `inf` into the code it compiles.
    )
    environment.globals.clear()
    environment.globals["omit"] = OMIT
    environment.filters = {**{name: FILTERS[name] for name in KEPT_FILTERS}, **SAFE_FILTERS}
    return environment


ENVIRONMENT = _environment()


@dataclass(frozen=True)
class Template:
    """A compiled string: the names it needs, how often it says each, and how to evaluate it.

    :param alone: the name that it consists of, None if there is more to it.
    """

    names: frozenset[str]
    uses: Counter[str]
    evaluate: Callable[[Mapping[str, Any]], object]
    alone: str | None = None


@lru_cache(maxsize=4096)
def compile_template(text: str) -> Template:
    """Compile a string that holds at least one `{{ … }}`.

    :raise jinja2.TemplateError: for bad syntax, an unknown filter, a call, an expression too long or too deep.
    """
    if len(text) > MAX_TEXT:
        raise jinja2.TemplateError(f"a text with expressions is longer than {MAX_TEXT} characters")
    try:
        tree = ENVIRONMENT.parse(text)
        _refuse_nodes(tree)
        names = frozenset(jinja2.meta.find_undeclared_variables(tree) - {"omit"})
        uses = Counter(node.name for node in tree.find_all(jinja2.nodes.Name))
        whole = _whole_expression(text)
        if whole is None:
            return Template(names, uses, _text_of(ENVIRONMENT.from_string(text)))
        if whole.strip() in names:
            return Template(names, uses, itemgetter(whole.strip()), whole.strip())
        expression = ENVIRONMENT.compile_expression(whole, undefined_to_none=False)
    except (RecursionError, MemoryError, SyntaxError):
        raise jinja2.TemplateError("it is nested too deep") from None
    return Template(names, uses, lambda variables: expression(variables))


def _refuse_nodes(tree: jinja2.nodes.Template) -> None:
    if tree.find(jinja2.nodes.Call):
        raise jinja2.TemplateError(NO_CALLS)
    if any(node.name == "self" for node in tree.find_all(jinja2.nodes.Name)):
        raise jinja2.TemplateError("'self' means nothing here")
    constants = [node.value for node in tree.find_all(jinja2.nodes.Const)]
    if any(isinstance(value, float) and not math.isfinite(value) for value in constants):
        raise jinja2.TemplateError("a number is too large")
    for node in tree.find_all((jinja2.nodes.Output, jinja2.nodes.Concat)):
        if len(list(node.iter_child_nodes())) > MAX_PARTS:
            raise jinja2.TemplateError(f"more than {MAX_PARTS} parts in one text")


def _text_of(template: jinja2.Template) -> Callable[[Mapping[str, Any]], str]:
    def render_text(variables: Mapping[str, Any]) -> str:
        text = ""
        for part in template.generate(variables):
            text += part
            if len(text) > MAX_LENGTH:
                raise SecurityError(f"the text is longer than {MAX_LENGTH} characters")
        return text

    return render_text


def _whole_expression(text: str) -> str | None:
    tokens = [kind for _, kind, _ in ENVIRONMENT.lex(text)]
    if tokens[0] == "variable_begin" and tokens[-1] == "variable_end" and tokens.count("variable_begin") == 1:
        return text.removeprefix("{{-").removeprefix("{{").removesuffix("-}}").removesuffix("}}")
    return None


def get_template(node: ExpressionNode) -> Template:
    """Return the compiled template of a node.

    :raise ScenarioError: for bad syntax, with the position of the value.
    """
    try:
        return compile_template(node.text)
    except jinja2.TemplateError as error:
        said = str(error.message).replace("end of print statement", "}}").rstrip(".")
        raise scenario_error(node.span, f"bad expression: {said}", _syntax_hint(said)) from None


def _syntax_hint(said: str) -> str:
    found = re.search(r"No (filter|test) named '(\w+)'", said)
    if found:
        known = ENVIRONMENT.filters if found[1] == "filter" else ENVIRONMENT.tests
        words = [name for name in known if name.isidentifier()]
        return did_you_mean(found[2], words, f"{found[1]}s: {', '.join(words)}")
    found = re.search(r"(?:unexpected char |got )['\"](.)['\"]", said)
    return SYNTAX_HINTS.get(found[1], "") if found else ""


def find_expressions(node: Node) -> Iterator[ExpressionNode]:
    """Yield every expression in a node, however deep."""
    if not node.dynamic:
        return
    if isinstance(node, ExpressionNode):
        yield node
    elif isinstance(node, SequenceNode):
        for item in node:
            if item.dynamic:
                yield from find_expressions(item)
    elif isinstance(node, MappingNode):
        for entry in node:
            if entry.value.dynamic:
                yield from find_expressions(entry.value)


def find_variable_names(node: Node) -> set[str]:
    """Return the variables that the expressions in a node mention.

    :raise ScenarioError: for bad syntax, with the position of the value.
    """
    return {name for expression in find_expressions(node) for name in get_template(expression).names}


def render(node: Node, variables: Variables) -> Node:
    """Return `node` with every expression replaced by its value, or by `UnknownNode` where a variable is not known yet.

    :raise ScenarioError: for an unresolved name, a failing expression, or a result that JSON cannot hold.
    """
    return _Renderer(variables).render(node)


class _Renderer:
    """Renders one node, and counts the values that come into it, for variables can double with every step."""

    def __init__(self, variables: Variables) -> None:
        self._variables = variables
        self._count = 0

    def render(self, node: Node) -> Node:
        if not node.dynamic:
            return node
        match node:
            case ExpressionNode():
                return self._evaluate(node)
            case SequenceNode():
                return make_sequence(node.span, tuple(self.render(item) for item in node.items))
            case MappingNode():
                return self._render_mapping(node)
            case _:
                return node

    def _render_mapping(self, node: MappingNode) -> MappingNode:
        entries = []
        for entry in node.entries:
            if not entry.value.dynamic:
                entries.append(entry)
                continue
            value = self._value(entry.value) if isinstance(entry.value, ExpressionNode) else self.render(entry.value)
            if not isinstance(value, _Omitted):
                entries.append(Entry(entry.span, entry.key, value))
        return make_mapping(node.span, tuple(entries))

    def _evaluate(self, node: ExpressionNode) -> Node:
        value = self._value(node)
        if isinstance(value, _Omitted):
            raise scenario_error(node.span, "'omit' leaves out a key of a mapping; there is none here")
        return value

    def _value(self, node: ExpressionNode) -> Node | _Omitted:
        template = get_template(node)
        if template.alone and (bare := self._bare(template.alone)) is not None:
            return ScalarNode(node.span, bare)
        check_variables_are_set(template.names, self._variables, node.span)
        values = {name: self._variables[name] for name in template.names}
        if any(isinstance(value, UnknownValue) for value in values.values()):
            return UnknownNode(node.span)
        try:
            ENVIRONMENT.left = MAX_LENGTH
            for name, value in values.items():
                if template.uses[name] * _weight(value, MAX_MENTIONED) > MAX_MENTIONED:
                    raise ValueError(f"'{name}' is too large to be mentioned {template.uses[name]} times")
            result = template.evaluate(values)
            return result if isinstance(result, _Omitted) else from_json(self._json_of(result), node.span)
        except FAILS as error:
            raise scenario_error(node.span, f"the expression fails: {error}") from None

    def _bare(self, name: str) -> str | int | None:
        """Return the value of a variable if it is one of most: short, and no list or mapping."""
        value = self._variables.get(name)
        self._count += 1
        if self._count > MAX_VALUES:
            return None
        if isinstance(value, str):
            return value if len(value) <= MAX_LENGTH else None
        return value if isinstance(value, int) and value.bit_length() <= MAX_BITS else None

    def _json_of(self, value: object, depth: int = 0) -> JsonValue:
        """Return the result of an expression as a JSON value; a lazy filter's result becomes a list."""
        self._count += 1
        if self._count > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")
        if depth > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
        match value:
            case Undefined():
                return str(value)
            case float() if not math.isfinite(value):
                raise ValueError(f"JSON has no number '{value}'")
            case None | bool() | int() | float() | str():
                return _short(value)
            case dict():
                return {_key_of(key): self._json_of(item, depth + 1) for key, item in value.items()}
            case list() | tuple() | Iterator():
                return [self._json_of(item, depth + 1) for item in value]
        raise TypeError(f"the result is {type_name(value)}, which JSON does not have")


def _short(value: float | str | None) -> JsonValue:
    if isinstance(value, str) and len(value) > MAX_LENGTH:
        raise ValueError(f"the text is longer than {MAX_LENGTH} characters")
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ValueError(f"a number of more than {MAX_BITS} bits")
    return str(value) if isinstance(value, str) else value


def _key_of(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key of a mapping is a string, not {type_name(key)}")
    return key


def check_variables_are_set(names: frozenset[str], known: Variables, span: Span) -> None:
    """Check that every name is one of the known ones.

    :raise ScenarioError: for the first that is not.
    """
    for name in sorted(names.difference(known)):
        some = f"set here: {', '.join(sorted(known))}" if known else "no variable is set here"
        raise scenario_error(_place_of(name, span), f"'{name}' is not set", did_you_mean(name, known, some))


def _place_of(name: str, span: Span) -> Span:
    """Return the name's own place in the expression at `span`, if its line shows it."""
    end = span.column - 1 + span.width
    found = re.compile(rf"(?<![\w.'\"]){re.escape(name)}\b").search(span.source.line(span.line)[:end], span.column - 1)
    return Span(span.source, span.line, found.start() + 1, len(name)) if found else span
