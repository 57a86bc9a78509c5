"""Generate the mutants of a file: each has one assertion broken, or one action dropped.

A mutant replaces a node of the file, which is then read, checked and run like any other file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from run_scenarios.core.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, make_mapping
from run_scenarios.core.source import Source, Span
from run_scenarios.scenario.model import Change
from run_scenarios.scenario.step_keys import find_verb, make_step_mapping
from run_scenarios.steps import VERBS
from run_scenarios.steps.argument_types import parse_seconds
from run_scenarios.steps.eventually import Eventually
from run_scenarios.steps.mutations import Mutation, drop_each_item, mutate_expectation, replace_key
from run_scenarios.syntax.yaml_loader import load_text

MUTANT_WITHIN_S = 2
"""The limit of an `eventually` that holds a mutant, which can never succeed."""
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Mutant:
    """One change that should make a case fail.

    :param step: the step that is changed.
    :param span: the part of the step that is changed.
    :param is_dropped: whether an action is dropped; otherwise an assertion is broken.
    :param cannot_fail: why no case can fail, as is known without a run, "" if one may.
    """

    step: Span
    span: Span
    changes: tuple[Change, ...]
    is_dropped: bool = False
    cannot_fail: str = ""


def generate_mutants(source: Source, at: str) -> list[Mutant]:
    """Return the mutants of a valid file, in the order of its text.

    :param at: its absolute path.
    """
    root = load_text(source)
    assert isinstance(root, MappingNode)
    blocks: list[tuple[Path, Node | None]] = [(("steps",), root.get("steps"))]
    procedures = root.get("procedures")
    for entry in procedures if isinstance(procedures, MappingNode) else ():
        assert isinstance(entry.value, MappingNode)
        blocks.append((("procedures", entry.key, "steps"), entry.value.get("steps")))
    found = [mutant for path, steps in blocks for mutant in _mutate_block(steps, at, path, ())]
    return sorted(found, key=lambda each: (each.span.line, each.span.column))


def _mutate_block(steps: Node | None, at: str, path: Path, outer_changes: tuple[Change, ...]) -> Iterator[Mutant]:
    """Yield the mutants of a block of steps.

    :param outer_changes: the changes that the enclosing blocks need with each of them.
    """
    for index, item in enumerate(steps if isinstance(steps, SequenceNode) else ()):
        parts, step_path = make_step_mapping(item), (*path, index)
        verb = find_verb(parts)
        for is_dropped, mutations in ((False, _break_assertions(parts, verb)), (True, _drop_actions(parts, verb))):
            for each in mutations:
                change = Change(at, step_path, _replace_keys(parts, verb, each.keys))
                yield Mutant(verb.span, each.span, (change, *outer_changes), is_dropped, each.cannot_fail)
        inner_changes = (*outer_changes, *_shorten_within(verb, at, step_path))
        yield from _mutate_block(parts.get("steps"), at, (*step_path, "steps"), inner_changes)


def _break_assertions(parts: MappingNode, verb: Entry) -> Iterator[Mutation]:
    """Yield the step with each of its assertions broken; a step that must fail asserts nothing but its error."""
    error, expect = parts.get("error"), parts.get("expect")
    if error is not None:
        yield from _break_modifier("error", error)
        return
    for mutator in VERBS[verb.key].MUTATORS:
        yield from mutator(verb.key, verb.value)
    if expect is not None:
        yield from _break_modifier("expect", expect)


def _break_modifier(key: str, expected: Node) -> Iterator[Mutation]:
    for span, node, cannot_fail in mutate_expectation(expected):
        yield Mutation(span, {key: node}, cannot_fail)


def _drop_actions(parts: MappingNode, verb: Entry) -> Iterator[Mutation]:
    """Yield the step skipped, and the step without each one of several effects."""
    key = VERBS[verb.key].EFFECTS_KEY
    if not key or parts.get("error") is not None:
        return
    yield Mutation(verb.span, {"when": ScalarNode(verb.span, False)})
    items = verb.value.get(key) if isinstance(verb.value, MappingNode) else None
    if isinstance(items, SequenceNode) and len(items.items) > 1:
        for item, others in drop_each_item(items):
            yield Mutation(item.span, {verb.key: replace_key(verb.value, key, others)})


def _replace_keys(parts: MappingNode, verb: Entry, keys: Mapping[str, Node | None]) -> MappingNode:
    """Return a step with other values for some of its keys; a new key gets the position of the verb."""
    values = {**{each.key: each.value for each in parts}, **keys}
    spans = {each.key: each.span for each in parts}
    entries = (Entry(spans.get(key, verb.span), key, node) for key, node in values.items() if node is not None)
    return make_mapping(parts.span, tuple(entries))


def _shorten_within(verb: Entry, at: str, step_path: Path) -> Iterator[Change]:
    within = verb.value.get("within") if isinstance(verb.value, MappingNode) else None
    if verb.key == Eventually.NAME and within and not within.dynamic and parse_seconds(within) > MUTANT_WITHIN_S:
        yield Change(at, (*step_path, verb.key, "within"), ScalarNode(within.span, MUTANT_WITHIN_S))
