"""Check the keys of a step: one verb, and only modifiers that the verb takes."""

from __future__ import annotations

from collections.abc import Iterator
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
    make_mapping,
    to_partial,
)
from run_scenarios.scenario.file_schema import MODIFIERS, list_allowed_modifiers
from run_scenarios.steps import VERBS
from run_scenarios.steps.verb import Verb


def make_step_mapping(node: Node) -> MappingNode:
    """Return a step as a mapping, even if it is written as a verb alone.

    :raise ScenarioError: if it is neither.
    """
    if isinstance(node, MappingNode):
        return node
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return make_mapping(node.span, (Entry(node.span, node.value, ScalarNode(node.span, None)),))
    found = "an expression" if isinstance(node, ExpressionNode) else type_name(to_partial(node))
    raise scenario_error(node.span, f"a step is a mapping with one verb, not {found}", "for example '- shutdown'")


def find_verb(parts: MappingNode) -> Entry:
    """Return the verb of a step, with its argument.

    :raise ScenarioError: if there is none, or more than one.
    """
    verbs = [entry for entry in parts.entries if entry.key in VERBS]
    if len(verbs) == 1:
        return verbs[0]
    if len(verbs) > 1:
        raise scenario_error(verbs[1].span, f"a second verb '{verbs[1].key}' in one step", "start a new step with '-'")
    unknown = [entry for entry in parts if entry.key not in MODIFIERS and entry.key not in ("steps", "with")]
    list_of_verbs = f"verbs: {', '.join(VERBS)}"
    if not unknown:
        raise scenario_error(parts.span, "this step has no verb", list_of_verbs)
    key = unknown[0]
    raise scenario_error(key.span, f"unknown verb '{key.key}'", did_you_mean(key.key, VERBS, list_of_verbs))


def check_keys(parts: MappingNode, verb: type[Verb], entry: Entry) -> None:
    """Check that each key of a step may stand next to its verb.

    :param entry: the verb.
    :raise ScenarioError: for every key that may not, or if `steps` is missing.
    """
    if verb.HAS_BODY or not _list_always_allowed(verb).issuperset([each.key for each in parts.entries]):  # type: ignore[arg-type]
        _check_each_key(parts, verb, entry)


@cache
def _list_always_allowed(verb: type[Verb]) -> frozenset[str]:
    """Return the keys that are allowed whatever other keys there are."""
    modifiers = set(list_allowed_modifiers(verb)) - {"error"}
    return frozenset({verb.NAME, *verb.SIBLING_KEYS, *modifiers} - (set() if verb.RESULT else {"save"}))


def _check_each_key(parts: MappingNode, verb: type[Verb], entry: Entry) -> None:
    refused = list(_find_refused_keys(parts, verb))
    if refused:
        raise ScenarioError(*refused)
    if verb.HAS_BODY and parts.get("steps") is None:
        is_inside = isinstance(entry.value, MappingNode) and entry.value.get("steps") is not None
        hint = "indent 'steps' less" if is_inside else "add 'steps:' with a list of steps"
        raise scenario_error(entry.span, f"'{verb.NAME}' needs 'steps'", hint)


def _find_refused_keys(parts: MappingNode, verb: type[Verb]) -> Iterator[Diagnostic]:
    siblings = (*verb.SIBLING_KEYS, *(("steps",) if verb.HAS_BODY else ()))
    allowed = (*siblings, *list_allowed_modifiers(verb))
    has_error = parts.get("error") is not None
    for each in parts:
        if each.key == verb.NAME or each.key in siblings:
            continue
        hint = f"indent it further: it belongs to '{verb.NAME}'" if each.key in list_argument_keys(verb) else ""
        if each.key not in MODIFIERS:
            hint = hint or did_you_mean(each.key, allowed, f"keys: {', '.join(allowed)}")
            yield Diagnostic(each.span, f"unknown key '{each.key}' in a step with '{verb.NAME}'", hint)
        elif each.key in ("save", "expect") and not verb.RESULT and not (each.key == "save" and has_error):
            yield Diagnostic(each.span, f"'{verb.NAME}' has no result to {each.key}", hint)
        elif each.key == "error" and not verb.FAILS_WITH:
            yield Diagnostic(each.span, f"'{verb.NAME}' cannot be expected to fail", hint)
        elif each.key == "vm" and "vm" not in allowed:
            yield Diagnostic(each.span, f"'{verb.NAME}' does not take 'vm'", "write 'vm' on the steps that it runs")
        elif each.key == "expect" and has_error:
            yield Diagnostic(each.span, "'expect' together with 'error'", "a step that must fail has no result")


def list_argument_keys(verb: type[Verb]) -> tuple[str, ...]:
    """Return the keys of a verb's argument, in any of its forms."""
    return tuple(key for branch in verb.SCHEMA.get("anyOf", [verb.SCHEMA]) for key in branch.get("properties", {}))
