"""Evaluate the `{{ … }}` in string values.

A value that is one whole expression gets the type of its result; an expression within other text becomes text.
Source: Jinja's `Environment.compile_expression`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2
import jinja2.meta
import jinja2.nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Undefined

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.errors import EvaluationError, scenario_error
from run_scenarios.core.json_types import type_name
from run_scenarios.core.nodes import (
    Entry,
    ExpressionNode,
    JsonValue,
    MappingNode,
    Node,
    SequenceNode,
    UnknownNode,
    UnknownValue,
    from_json,
    make_mapping,
    make_sequence,
)
from run_scenarios.core.source import Span
from run_scenarios.syntax.sandbox import (
    ENVIRONMENT,
    MAX_BITS,
    MAX_LENGTH,
    NO_CALLS,
    Omitted,
    evaluate_within_budget,
    measure,
)

Variables = Mapping[str, JsonValue | UnknownValue]

MAX_VALUES = 20_000
MAX_MENTIONED = 500_000
MAX_DEPTH = 100
MAX_TEXT = 1 << 13
MAX_PARTS = 100
# Jinja's filters do not check the types of their arguments.
EVALUATION_ERRORS = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    TypeError,
    ValueError,
    LookupError,
    RecursionError,
)
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


@dataclass(frozen=True)
class Template:
    """A compiled string.

    :param names: the variables that it needs.
    :param uses: how often each name occurs.
    """

    names: frozenset[str]
    uses: Counter[str]
    evaluate: Callable[[Mapping[str, Any]], object]


@lru_cache(maxsize=4096)
def compile_template(text: str) -> Template:
    """Compile a string that contains at least one `{{ … }}`.

    :raise jinja2.TemplateError: for bad syntax, an unknown filter, a call, an expression too long or too deep.
    """
    if len(text) > MAX_TEXT:
        raise jinja2.TemplateError(f"a text with expressions is longer than {MAX_TEXT} characters")
    try:
        tree = ENVIRONMENT.parse(text)
        _refuse_unsafe_nodes(tree)
        names = frozenset(jinja2.meta.find_undeclared_variables(tree) - {"omit"})
        uses = Counter(node.name for node in tree.find_all(jinja2.nodes.Name))
        return Template(names, uses, _compile(text))
    except (RecursionError, MemoryError, SyntaxError):
        raise jinja2.TemplateError("it is nested too deep") from None


def _compile(text: str) -> Callable[[Mapping[str, Any]], object]:
    whole = _find_whole_expression(text)
    if whole is None:
        return _make_text_renderer(ENVIRONMENT.from_string(text))
    expression = ENVIRONMENT.compile_expression(whole, undefined_to_none=False)
    return lambda variables: expression(variables)


def _refuse_unsafe_nodes(tree: jinja2.nodes.Template) -> None:
    if tree.find(jinja2.nodes.Call):
        raise jinja2.TemplateError(NO_CALLS)
    if any(node.name == "self" for node in tree.find_all(jinja2.nodes.Name)):
        raise jinja2.TemplateError("'self' is not available in expressions")
    constants = [node.value for node in tree.find_all(jinja2.nodes.Const)]
    if any(isinstance(value, float) and not math.isfinite(value) for value in constants):
        raise jinja2.TemplateError("a number is too large")
    for node in tree.find_all((jinja2.nodes.Output, jinja2.nodes.Concat)):
        if len(list(node.iter_child_nodes())) > MAX_PARTS:
            raise jinja2.TemplateError(f"more than {MAX_PARTS} parts in one text")


def _make_text_renderer(template: jinja2.Template) -> Callable[[Mapping[str, Any]], str]:
    def render_text(variables: Mapping[str, Any]) -> str:
        text = ""
        for part in template.generate(variables):
            text += part
            if len(text) > MAX_LENGTH:
                raise SecurityError(f"the text is longer than {MAX_LENGTH} characters")
        return text

    return render_text


def _find_whole_expression(text: str) -> str | None:
    """Return the expression that makes up the whole text, without its braces, or None."""
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
        message = str(error.message).replace("end of print statement", "}}").rstrip(".")
        raise scenario_error(node.span, f"bad expression: {message}", _suggest_fix(message)) from None


def _suggest_fix(message: str) -> str:
    found = re.search(r"No (filter|test) named '(\w+)'", message)
    if found:
        known = ENVIRONMENT.filters if found[1] == "filter" else ENVIRONMENT.tests
        words = [name for name in known if name.isidentifier()]
        return did_you_mean(found[2], words, f"{found[1]}s: {', '.join(words)}")
    found = re.search(r"(?:unexpected char |got )['\"](.)['\"]", message)
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
    """Return the variables that the expressions in a node use.

    :raise ScenarioError: for bad syntax, with the position of the value.
    """
    return {name for expression in find_expressions(node) for name in get_template(expression).names}


def render(node: Node, variables: Variables) -> Node:
    """Return `node` with every expression replaced by its value, or by `UnknownNode` if a variable is not known yet.

    :raise ScenarioError: for an unresolved name, a failing expression, or a result that JSON cannot represent.
    """
    return _Renderer(variables).render(node)


class _Renderer:
    """Renders one node and limits the number of values in the result, which can double with every step."""

    def __init__(self, variables: Variables) -> None:
        self._variables = variables
        self._count = 0

    def render(self, node: Node) -> Node:
        if not node.dynamic:
            return node
        match node:
            case ExpressionNode():
                value = self._evaluate(node)
                if isinstance(value, Omitted):
                    raise scenario_error(node.span, "'omit' can only be the value of a key in a mapping")
                return value
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
            each = entry.value
            value = self._evaluate(each) if isinstance(each, ExpressionNode) else self.render(each)
            if not isinstance(value, Omitted):
                entries.append(Entry(entry.span, entry.key, value))
        return make_mapping(node.span, tuple(entries))

    def _evaluate(self, node: ExpressionNode) -> Node | Omitted:
        template = get_template(node)
        check_variables_are_set(template.names, self._variables, node.span)
        values = {name: self._variables[name] for name in template.names}
        if any(isinstance(value, UnknownValue) for value in values.values()):
            return UnknownNode(node.span)
        try:
            for name, value in values.items():
                if template.uses[name] * measure(value, MAX_MENTIONED) > MAX_MENTIONED:
                    raise ValueError(f"'{name}' is too large to be used {template.uses[name]} times")
            result = evaluate_within_budget(template.evaluate, values)
            return result if isinstance(result, Omitted) else from_json(self._to_json(result), node.span)
        except EVALUATION_ERRORS as error:
            raise EvaluationError(Diagnostic(node.span, f"the expression fails: {error}")) from None

    def _to_json(self, value: object, depth: int = 0) -> JsonValue:
        """Return the result of an expression as a JSON value; the result of a lazy filter becomes a list."""
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
                return _check_scalar(value)
            case dict():
                return {_check_key(key): self._to_json(item, depth + 1) for key, item in value.items()}
            case list() | tuple() | Iterator():
                return [self._to_json(item, depth + 1) for item in value]
        raise TypeError(f"the result is {type_name(value)}, which JSON does not have")


def _check_scalar(value: float | str | None) -> JsonValue:
    if isinstance(value, str) and len(value) > MAX_LENGTH:
        raise ValueError(f"the text is longer than {MAX_LENGTH} characters")
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ValueError(f"a number of more than {MAX_BITS} bits")
    return str(value) if isinstance(value, str) else value


def _check_key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key of a mapping is a string, not {type_name(key)}")
    return key


def check_variables_are_set(names: frozenset[str], known: Variables, span: Span) -> None:
    """Check that every name is one of the known variables.

    :raise ScenarioError: for the first that is not.
    """
    for name in sorted(names.difference(known)):
        all_known = f"set here: {', '.join(sorted(known))}" if known else "no variable is set here"
        raise scenario_error(_find_name(name, span), f"'{name}' is not set", did_you_mean(name, known, all_known))


def _find_name(name: str, span: Span) -> Span:
    """Return the span of a name within the expression at `span`; all of it if its line does not contain the name."""
    end = span.column - 1 + span.width
    found = re.compile(rf"(?<![\w.'\"]){re.escape(name)}\b").search(span.source.line(span.line)[:end], span.column - 1)
    return Span(span.source, span.line, found.start() + 1, len(name)) if found else span
