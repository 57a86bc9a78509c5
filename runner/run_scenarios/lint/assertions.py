"""Rules on what a scenario proves. Imports subject and plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from run_scenarios.core.nodes import MappingNode, Node, SequenceNode
from run_scenarios.lint.context import Finding, LintContext
from run_scenarios.scenario.dry_run import VisitedStep
from run_scenarios.steps.compare import Compare
from run_scenarios.steps.verb import Step

ASSERTING = frozenset({"check-image", "compare", "eventually", "read", "shutdown"})
"""What fails if things are not as it says, beside `assert-…` and `wait-…`; `shutdown` if QEMU ends badly."""
WINDING_DOWN = frozenset({"kill", "stop-nbd"})


def nothing_asserted(subject: LintContext) -> Iterator[Finding]:
    """Yield the last step of a scenario if it asserts nothing in any case."""
    if subject.scenario is None:
        return
    walks = [[met for met in walk if met.outermost.verb.NAME not in WINDING_DOWN] for walk in subject.walks]
    if not any(_asserts(met) for walk in walks for met in walk):
        hint = "'expect' beside a step, 'read', 'compare' or an 'assert-…' does"
        yield Finding(subject.scenario.span, "no step of this scenario asserts anything", hint)
        return
    last = [walk[-1].outermost if walk else None for walk in walks]
    if not any(_asserts(met) for walk, top in zip(walks, last, strict=True) for met in walk if met.outermost is top):
        for step in dict.fromkeys(last):
            if step is not None:
                yield Finding(step.span, "the last step asserts nothing", "say what must hold after it, or remove it")


def _asserts(met: VisitedStep) -> bool:
    step, verb = met.step, met.step.verb.NAME
    named = verb in ASSERTING or verb.startswith(("assert", "wait-"))
    return named or step.error is not None or step.expect is not None


def compared_with_itself(subject: LintContext) -> Iterator[Finding]:
    """Yield the comparisons that compare an image with itself whenever they run."""
    found: dict[Step, list[VisitedStep]] = {}
    for walk in subject.walks:
        for met in walk:
            if met.step.verb is Compare:
                found.setdefault(met.step, []).append(met)
    for encounters in found.values():
        if all(_compares_one(met) for met in encounters):
            place = encounters[0].locate(_second(encounters[0].argument).span)
            yield Finding(place, "an image is compared with itself", "name the image it must equal")


def _compares_one(met: VisitedStep) -> bool:
    verb = met.verb
    if not isinstance(verb, Compare) or verb.first.format != verb.second.format:
        return False
    return PurePosixPath(verb.first.file) == PurePosixPath(verb.second.file)


def _second(argument: Node) -> Node:
    images = argument.get("images") if isinstance(argument, MappingNode) else argument
    assert isinstance(images, SequenceNode)
    return images.items[1]
