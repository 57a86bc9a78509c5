"""Nodes to typed steps: the verb, its argument, its modifiers, its block. Imports language, schema, steps."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.errors import ScenarioError, scenario_error
from run_scenarios.core.json_types import type_name
from run_scenarios.core.nodes import (
    Entry,
    ExpressionNode,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    make_mapping,
    to_json,
    to_partial,
)
from run_scenarios.core.source import Span
from run_scenarios.scenario.confinement import find_escapes
from run_scenarios.scenario.file_schema import MODIFIERS, RESERVED_NAMES, list_allowed_modifiers
from run_scenarios.steps import VERBS
from run_scenarios.steps.argument_types import parse_seconds
from run_scenarios.steps.scope import Procedure
from run_scenarios.steps.verb import Step, Verb
from run_scenarios.syntax.matchers import check_matcher
from run_scenarios.syntax.render import find_expressions, get_template
from run_scenarios.syntax.schema_validator import find_schema_errors

MAX_FINDINGS = 500
NOTHING: frozenset[str] = frozenset()


class _Enough(ScenarioError):
    """So much is wrong that looking on helps nobody."""


class DiagnosticCollector:
    """Collects diagnostics; as a context it catches a `ScenarioError` raised within."""

    def __init__(self) -> None:
        self._found: dict[Diagnostic, None] = {}

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        for each in diagnostics:
            self._found[each] = None
        if len(self._found) > MAX_FINDINGS:
            raise _Enough(*self._sorted())

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, ScenarioError) and not isinstance(error, _Enough):
            self.extend(error.diagnostics)
            return True
        return False

    def raise_any(self) -> None:
        if self._found:
            raise ScenarioError(*self._sorted())

    def _sorted(self) -> list[Diagnostic]:
        return sorted(self._found, key=lambda each: each.sort_key)


def parse_steps(
    node: Node | None, procedures: dict[str, Procedure], confined: bool, found: DiagnosticCollector
) -> tuple[Step, ...]:
    steps = []
    for item in node if isinstance(node, SequenceNode) else ():
        with found:
            steps.append(_step(item, procedures, confined, found))
    return tuple(steps)


def _step(node: Node, procedures: dict[str, Procedure], confined: bool, found: DiagnosticCollector) -> Step:
    parts = make_step_mapping(node)
    entry = find_verb(parts)
    verb = VERBS[entry.key]
    _check_keys(parts, verb, entry)
    if isinstance(node, ScalarNode):
        _refuse_bare(node, verb)
    argument = _argument(parts, verb, entry) if verb.SIBLING_KEYS else entry.value
    modifiers = {each.key: each.value for each in parts.entries if each.key in MODIFIERS}
    save = modifiers.pop("save", None)
    body = _body(parts, verb, entry, procedures, confined, found) if verb.HAS_BODY else ()
    saved = None if save is None else _save(save)
    written, names, mentions = _mentioned(argument, modifiers.values(), body, found)
    for key, value in modifiers.items():
        with found:
            check_modifier(key, value)
    if save is not None:
        with found:
            check_modifier("save", save)
    if "propertyNames" in verb.SCHEMA:
        _refuse_reserved(entry.value, found)
    wrong = check_argument(verb, argument, confined=confined)
    found.extend(wrong)
    parsed = None if wrong or argument.dynamic else verb.parse(argument)
    saved_at = save.span if save else None
    # By position: by name it would take half as long again.
    return Step(
        verb, entry.span, argument, body, modifiers, written, names, mentions, confined, saved, saved_at, parsed
    )


def _mentioned(
    argument: Node, modifiers: Iterable[Node], body: Iterable[Step], found: DiagnosticCollector
) -> tuple[tuple[ExpressionNode, ...], tuple[str, ...], frozenset[str]]:
    """Return the expressions of a step, the variables in its argument, and those anywhere in it."""
    in_argument = tuple(find_expressions(argument)) if argument.dynamic else ()
    beside = [each for node in modifiers if node.dynamic for each in find_expressions(node)]
    names = _names_of(in_argument, found) if in_argument else NOTHING
    below = [step.mentions for step in body]
    mentions = names.union(_names_of(beside, found), *below) if beside or below else names
    return (*in_argument, *beside), tuple(sorted(names)) if names else (), mentions


def _names_of(expressions: Iterable[ExpressionNode], found: DiagnosticCollector) -> frozenset[str]:
    """Return the names that expressions mention, and find bad syntax in them."""
    names: set[str] = set()
    for expression in expressions:
        with found:
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


def _refuse_bare(node: ScalarNode, verb: type[Verb]) -> None:
    if find_schema_errors(ScalarNode(node.span, None), verb.SCHEMA, ""):
        keys = ", ".join(_keys(verb))
        raise scenario_error(
            node.span, f"'{verb.NAME}' needs an argument", f"keys: {keys}" if keys else f"- {verb.NAME}: …"
        )


def _keys(verb: type[Verb]) -> tuple[str, ...]:
    """Return the keys of a verb's argument, whichever of its forms takes them."""
    return tuple(key for branch in verb.SCHEMA.get("anyOf", [verb.SCHEMA]) for key in branch.get("properties", {}))


def _refuse_reserved(argument: Node, found: DiagnosticCollector) -> None:
    for each in argument if isinstance(argument, MappingNode) else ():
        with found:
            refuse_reserved_name(each.key, each.span)


def refuse_reserved_name(name: str, span: Span) -> None:
    """Check that a variable may have this name.

    :raise ScenarioError: if expressions would never see it.
    """
    if name in RESERVED_NAMES:
        raise scenario_error(span, f"'{name}' means something in expressions already", "choose another name")


def check_argument(verb: type[Verb], argument: Node, *, confined: bool) -> list[Diagnostic]:
    """Return what is refused in a verb's argument: by its schemas, and because it reaches outside if it is `confined`.

    An expression not evaluated yet is not refused.
    """
    outside = find_escapes(verb.NAME, argument) if confined else []
    if not verb.SIBLING_KEYS:
        refused = find_schema_errors(argument, verb.SCHEMA, f"'{verb.NAME}'", confined=confined)
        return list(dict.fromkeys([*refused, *outside])) if outside else refused
    assert isinstance(argument, MappingNode)
    schemas = {verb.NAME: verb.SCHEMA, **verb.SIBLING_KEYS}
    return [
        each
        for part in argument
        for each in find_schema_errors(part.value, schemas[part.key], f"'{part.key}'", confined=confined)
    ]


def make_step_mapping(node: Node) -> MappingNode:
    """Return a step as a mapping, one that is a verb alone too.

    :raise ScenarioError: if it is neither.
    """
    if isinstance(node, MappingNode):
        return node
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return make_mapping(node.span, (Entry(node.span, node.value, ScalarNode(node.span, None)),))
    raise scenario_error(node.span, f"a step is a mapping with one verb, not {_what(node)}", "for example '- shutdown'")


def _what(node: Node) -> str:
    return "an expression" if isinstance(node, ExpressionNode) else type_name(to_partial(node))


def find_verb(parts: MappingNode) -> Entry:
    """Return the verb of a step, with its argument.

    :raise ScenarioError: unless there is just one.
    """
    verbs = [entry for entry in parts.entries if entry.key in VERBS]
    if len(verbs) == 1:
        return verbs[0]
    if len(verbs) > 1:
        raise scenario_error(
            verbs[1].span, f"a second verb, '{verbs[1].key}', in one step", "begin a new step with '-'"
        )
    strange = [entry for entry in parts if entry.key not in MODIFIERS and entry.key not in ("steps", "with")]
    if not strange:
        raise scenario_error(parts.span, "a step without a verb", f"verbs: {', '.join(VERBS)}")
    key = strange[0]
    raise scenario_error(
        key.span, f"unknown verb '{key.key}'", did_you_mean(key.key, VERBS, f"verbs: {', '.join(VERBS)}")
    )


@cache
def _never_wrong(verb: type[Verb]) -> frozenset[str]:
    """Return the keys that may stand beside a verb, whatever else does."""
    modifiers = set(list_allowed_modifiers(verb)) - {"error"}
    return frozenset({verb.NAME, *verb.SIBLING_KEYS, *modifiers} - (set() if verb.RESULT else {"save"}))


def _check_keys(parts: MappingNode, verb: type[Verb], entry: Entry) -> None:
    if verb.HAS_BODY or not _never_wrong(verb).issuperset([each.key for each in parts.entries]):  # type: ignore[arg-type]
        _check_strange_keys(parts, verb, entry)


def _check_strange_keys(parts: MappingNode, verb: type[Verb], entry: Entry) -> None:
    companions = (*verb.SIBLING_KEYS, *(("steps",) if verb.HAS_BODY else ()))
    known = (verb.NAME, *companions, *MODIFIERS)
    refused = []
    for each in parts:
        if each.key == verb.NAME or each.key in companions:
            continue
        inside = each.key in _keys(verb)
        hint = f"indent it further: it belongs into '{verb.NAME}'" if inside else ""
        if each.key not in known:
            text = f"unknown key '{each.key}' beside '{verb.NAME}'"
            allowed = [key for key in known if key in companions or key in list_allowed_modifiers(verb)]
            refused.append(
                Diagnostic(each.span, text, hint or did_you_mean(each.key, allowed, f"keys: {', '.join(allowed)}"))
            )
        elif each.key in ("save", "expect") and not verb.RESULT and not (each.key == "save" and parts.get("error")):
            refused.append(Diagnostic(each.span, f"'{verb.NAME}' has no result to {each.key}", hint))
        elif each.key == "error" and not verb.FAILS_WITH:
            refused.append(Diagnostic(each.span, f"'{verb.NAME}' has no error to expect", hint))
        elif each.key == "vm" and "vm" not in list_allowed_modifiers(verb):
            refused.append(Diagnostic(each.span, f"'{verb.NAME}' is about no VM", "say 'vm' beside the steps it runs"))
        elif each.key == "expect" and parts.get("error") is not None:
            refused.append(Diagnostic(each.span, "'expect' beside 'error': a step that fails has no result"))
    if refused:
        raise ScenarioError(*refused)
    if verb.HAS_BODY and parts.get("steps") is None:
        inside = isinstance(entry.value, MappingNode) and entry.value.get("steps") is not None
        hint = "indent 'steps' less" if inside else "steps:"
        raise scenario_error(entry.span, f"'{verb.NAME}' needs 'steps' beside it", hint)


def _argument(parts: MappingNode, verb: type[Verb], entry: Entry) -> Node:
    if isinstance(entry.value, ExpressionNode):
        raise scenario_error(entry.value.span, f"'{verb.NAME}' takes a plain name, not an expression")
    return make_mapping(
        parts.span, tuple(each for each in parts if each.key == verb.NAME or each.key in verb.SIBLING_KEYS)
    )


def _body(
    parts: MappingNode,
    verb: type[Verb],
    entry: Entry,
    procedures: dict[str, Procedure],
    confined: bool,
    found: DiagnosticCollector,
) -> tuple[Step, ...]:
    steps = parts.get("steps")
    if steps is None:
        return ()
    if not isinstance(steps, SequenceNode) or not steps.items:
        raise scenario_error(steps.span, f"'steps' of '{entry.key}' must be a list of at least one step")
    return parse_steps(steps, procedures, confined, found)


def _save(node: Node) -> str:
    if isinstance(node, ExpressionNode):
        raise scenario_error(node.span, "'save' takes a plain name, not an expression")
    name = str(to_json(node)) if isinstance(node, ScalarNode) else ""
    refuse_reserved_name(name, node.span)
    return name


def check_expressions(node: Node, found: DiagnosticCollector) -> None:
    """Find bad syntax in the expressions of a node."""
    _names_of(find_expressions(node), found)
