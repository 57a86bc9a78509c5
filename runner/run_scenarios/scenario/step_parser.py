"""Parse steps: the verb, its argument, its modifiers and its block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.errors import ScenarioError, scenario_error
from run_scenarios.core.nodes import (
    Entry,
    ExpressionNode,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    make_mapping,
    to_json,
)
from run_scenarios.core.source import Span
from run_scenarios.scenario.confinement import find_escapes
from run_scenarios.scenario.diagnostic_collector import DiagnosticCollector
from run_scenarios.scenario.file_schema import MODIFIERS, RESERVED_NAMES
from run_scenarios.scenario.step_keys import check_keys, find_verb, list_argument_keys, make_step_mapping
from run_scenarios.steps import VERBS
from run_scenarios.steps.argument_types import parse_seconds
from run_scenarios.steps.verb import Step, Verb
from run_scenarios.syntax.matchers import check_matcher
from run_scenarios.syntax.render import find_expressions, get_template
from run_scenarios.syntax.schema_validator import find_schema_errors

NO_NAMES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StepParser:
    """Parses the steps of one file.

    :param confined: whether their files must stay in the case's directory.
    :param collector: gets everything that is wrong with them.
    """

    confined: bool
    collector: DiagnosticCollector

    def parse_steps(self, node: Node | None) -> tuple[Step, ...]:
        """Parse a list of steps, leaving out those that are wrong."""
        steps = []
        for item in node if isinstance(node, SequenceNode) else ():
            with self.collector:
                steps.append(self._parse_step(item))
        return tuple(steps)

    def _parse_step(self, node: Node) -> Step:
        parts = make_step_mapping(node)
        entry = find_verb(parts)
        verb = VERBS[entry.key]
        check_keys(parts, verb, entry)
        if isinstance(node, ScalarNode):
            _refuse_missing_argument(node, verb)
        argument = _select_argument(parts, verb, entry) if verb.SIBLING_KEYS else entry.value
        modifiers = {each.key: each.value for each in parts.entries if each.key in MODIFIERS}
        save = modifiers.pop("save", None)
        body = self._parse_body(parts, entry) if verb.HAS_BODY else ()
        saved_name = None if save is None else _parse_variable_name(save)
        mentions = self._find_mentions(argument, modifiers.values(), body)
        for key, value in (*modifiers.items(), *([("save", save)] if save else ())):
            with self.collector:
                check_modifier(key, value)
        if "propertyNames" in verb.SCHEMA:
            self._refuse_reserved_keys(entry.value)
        wrong = check_argument(verb, argument, confined=self.confined)
        self.collector.extend(wrong)
        return Step(
            verb=verb,
            span=entry.span,
            argument=argument,
            body=body,
            modifiers=modifiers,
            expressions=mentions.expressions,
            names=mentions.in_argument,
            mentions=mentions.anywhere,
            confined=self.confined,
            save=saved_name,
            saved_at=save.span if save else None,
            parsed=None if wrong or argument.dynamic else verb.parse(argument),
        )

    def _parse_body(self, parts: MappingNode, entry: Entry) -> tuple[Step, ...]:
        steps = parts.get("steps")
        if steps is None:
            return ()
        if not isinstance(steps, SequenceNode) or not steps.items:
            raise scenario_error(steps.span, f"'steps' of '{entry.key}' must be a list of at least one step")
        return self.parse_steps(steps)

    def _find_mentions(self, argument: Node, modifiers: Iterable[Node], body: Iterable[Step]) -> _Mentions:
        in_argument = tuple(find_expressions(argument)) if argument.dynamic else ()
        in_modifiers = [each for node in modifiers if node.dynamic for each in find_expressions(node)]
        names = find_variables(in_argument, self.collector) if in_argument else NO_NAMES
        in_body = [step.mentions for step in body]
        anywhere = names
        if in_modifiers or in_body:
            anywhere = names.union(find_variables(in_modifiers, self.collector), *in_body)
        return _Mentions((*in_argument, *in_modifiers), tuple(sorted(names)) if names else (), anywhere)

    def _refuse_reserved_keys(self, argument: Node) -> None:
        for each in argument if isinstance(argument, MappingNode) else ():
            with self.collector:
                refuse_reserved_name(each.key, each.span)


@dataclass(slots=True)
class _Mentions:
    """The expressions of a step, and the variables in its argument, and anywhere in it."""

    expressions: tuple[ExpressionNode, ...]
    in_argument: tuple[str, ...]
    anywhere: frozenset[str]


def find_variables(expressions: Iterable[ExpressionNode], collector: DiagnosticCollector) -> frozenset[str]:
    """Return the variables in expressions, and collect what is wrong with the expressions' syntax."""
    names: set[str] = set()
    for expression in expressions:
        with collector:
            names |= get_template(expression).names
    return frozenset(names)


def check_modifier(name: str, value: Node) -> None:
    """Check a modifier, as far as its value is known.

    :raise ScenarioError: for everything wrong with it.
    """
    wrong = find_schema_errors(value, MODIFIERS[name], f"'{name}'")
    if wrong:
        raise ScenarioError(*wrong)
    if name in ("error", "expect"):
        check_matcher(value)
    if name == "timeout" and not value.dynamic:
        parse_seconds(value)


def check_argument(verb: type[Verb], argument: Node, *, confined: bool) -> list[Diagnostic]:
    """Return what is wrong with a verb's argument.

    An expression that is not evaluated yet is accepted.

    :param confined: whether its files must stay in the case's directory.
    """
    outside = find_escapes(verb.NAME, argument) if confined else []
    if not verb.SIBLING_KEYS:
        wrong = find_schema_errors(argument, verb.SCHEMA, f"'{verb.NAME}'", confined=confined)
        return list(dict.fromkeys([*wrong, *outside])) if outside else wrong
    assert isinstance(argument, MappingNode)
    schemas = {verb.NAME: verb.SCHEMA, **verb.SIBLING_KEYS}
    return [
        each
        for part in argument
        for each in find_schema_errors(part.value, schemas[part.key], f"'{part.key}'", confined=confined)
    ]


def refuse_reserved_name(name: str, span: Span) -> None:
    """Check that a variable may have this name.

    :raise ScenarioError: if the name has another meaning in expressions.
    """
    if name in RESERVED_NAMES:
        raise scenario_error(span, f"'{name}' has another meaning in expressions", "choose another name")


def _refuse_missing_argument(node: ScalarNode, verb: type[Verb]) -> None:
    if find_schema_errors(ScalarNode(node.span, None), verb.SCHEMA, ""):
        keys = ", ".join(list_argument_keys(verb))
        hint = f"keys: {keys}" if keys else f"- {verb.NAME}: …"
        raise scenario_error(node.span, f"'{verb.NAME}' needs an argument", hint)


def _select_argument(parts: MappingNode, verb: type[Verb], entry: Entry) -> Node:
    """Return the verb and the keys next to it that belong to its argument."""
    if isinstance(entry.value, ExpressionNode):
        raise scenario_error(entry.value.span, f"'{verb.NAME}' takes a plain name, not an expression")
    return make_mapping(
        parts.span, tuple(each for each in parts if each.key == verb.NAME or each.key in verb.SIBLING_KEYS)
    )


def _parse_variable_name(node: Node) -> str:
    if isinstance(node, ExpressionNode):
        raise scenario_error(node.span, "'save' takes a plain name, not an expression")
    name = str(to_json(node)) if isinstance(node, ScalarNode) else ""
    refuse_reserved_name(name, node.span)
    return name
