"""A file to its mutants: each step with one thing broken or left out. Imports read_steps and steps.

They are made of the file's nodes, so that the file with one of them in its place is read, checked and run as any other.
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

PATIENCE_S = 2
"""How long `eventually` may wait for what cannot come true."""
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Mutant:
    """One thing that a case should fail for, and the changes that bring it about.

    :param step: the step it is in.
    :param span: where in the step.
    :param is_dropped: whether that is left out of what the step does; else it is asserted, and broken.
    :param cannot_fail: why it needs no run to know that nothing fails for it, "" if it does.
    """

    step: Span
    span: Span
    changes: tuple[Change, ...]
    is_dropped: bool = False
    cannot_fail: str = ""


def generate_mutants(source: Source, at: str) -> list[Mutant]:
    """Return the mutants of a file that was found right, in the order of its text.

    :param at: its absolute path.
    """
    root = load_text(source)
    assert isinstance(root, MappingNode)
    blocks: list[tuple[Path, Node | None]] = [(("steps",), root.get("steps"))]
    procedures = root.get("procedures")
    for entry in procedures if isinstance(procedures, MappingNode) else ():
        assert isinstance(entry.value, MappingNode)
        blocks.append((("procedures", entry.key, "steps"), entry.value.get("steps")))
    found = [mutant for path, steps in blocks for mutant in _of_block(steps, at, path, ())]
    return sorted(found, key=lambda each: (each.span.line, each.span.column))


def _of_block(steps: Node | None, at: str, path: Path, beside: tuple[Change, ...]) -> Iterator[Mutant]:
    """Yield the mutants of a block of steps; with the changes `beside` that the blocks around it need."""
    for index, item in enumerate(steps if isinstance(steps, SequenceNode) else ()):
        parts, here = make_step_mapping(item), (*path, index)
        verb = find_verb(parts)
        for is_dropped, found in ((False, _broken(parts, verb)), (True, _left_out(parts, verb))):
            for broken in found:
                change = Change(at, here, _changed(parts, verb, broken.keys))
                yield Mutant(verb.span, broken.span, (change, *beside), is_dropped, broken.cannot_fail)
        yield from _of_block(parts.get("steps"), at, (*here, "steps"), (*beside, *_impatient(verb, at, here)))


def _broken(parts: MappingNode, verb: Entry) -> Iterator[Mutation]:
    """Yield everything that may be broken of a step; where it must fail, all else of it counts for nothing."""
    error, expect = parts.get("error"), parts.get("expect")
    if error is not None:
        yield from _of_modifier("error", error)
        return
    for assertion in VERBS[verb.key].MUTATORS:
        yield from assertion(verb.key, verb.value)
    if expect is not None:
        yield from _of_modifier("expect", expect)


def _left_out(parts: MappingNode, verb: Entry) -> Iterator[Mutation]:
    """Yield the step that is not run, and the step without one of several things that it does."""
    key = VERBS[verb.key].EFFECTS_KEY
    if not key or parts.get("error") is not None:
        return
    yield Mutation(verb.span, {"when": ScalarNode(verb.span, False)})
    items = verb.value.get(key) if isinstance(verb.value, MappingNode) else None
    if isinstance(items, SequenceNode) and len(items.items) > 1:
        for item, others in drop_each_item(items):
            yield Mutation(item.span, {verb.key: replace_key(verb.value, key, others)})


def _of_modifier(key: str, expected: Node) -> Iterator[Mutation]:
    for span, node, cannot_fail in mutate_expectation(expected):
        yield Mutation(span, {key: node}, cannot_fail)


def _changed(parts: MappingNode, verb: Entry, keys: Mapping[str, Node | None]) -> MappingNode:
    """Return a step with other values for some of its keys; a key that is new stands where the verb does."""
    values = {**{each.key: each.value for each in parts}, **keys}
    spans = {each.key: each.span for each in parts}
    entries = (Entry(spans.get(key, verb.span), key, node) for key, node in values.items() if node is not None)
    return make_mapping(parts.span, tuple(entries))


def _impatient(verb: Entry, at: str, here: Path) -> Iterator[Change]:
    within = verb.value.get("within") if isinstance(verb.value, MappingNode) else None
    if verb.key == Eventually.NAME and within and not within.dynamic and parse_seconds(within) > PATIENCE_S:
        yield Change(at, (*here, verb.key, "within"), ScalarNode(within.span, PATIENCE_S))
