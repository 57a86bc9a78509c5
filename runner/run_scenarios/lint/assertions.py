"""Rules about assertions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from run_scenarios.core.nodes import MappingNode, Node, SequenceNode
from run_scenarios.lint.context import Finding, LintContext
from run_scenarios.scenario.dry_run import VisitedStep
from run_scenarios.steps.compare import Compare
from run_scenarios.steps.verb import Step

ASSERTING_WITHOUT_MUTATORS = frozenset({"eventually", "shutdown"})
CLEANUP = frozenset({"kill", "stop-nbd"})


def nothing_asserted(context: LintContext) -> Iterator[Finding]:
    """Yield a scenario without assertions, or its last step if it asserts nothing in any case."""
    if context.scenario is None:
        return
    walks = [[visit for visit in walk if visit.outermost.verb.NAME not in CLEANUP] for walk in context.walks]
    if not any(_asserts(visit) for walk in walks for visit in walk):
        hint = "add 'expect' to a step, or a step such as 'read', 'compare' or 'assert-…'"
        yield Finding(context.scenario.span, "no step of this scenario asserts anything", hint)
        return
    last = [walk[-1].outermost if walk else None for walk in walks]
    last_visits = [visit for walk, top in zip(walks, last, strict=True) for visit in walk if visit.outermost is top]
    if not any(map(_asserts, last_visits)):
        for step in dict.fromkeys(last):
            if step is not None:
                yield Finding(step.span, "the last step asserts nothing", "add an assertion after it, or remove it")


def any_failure_expected(context: LintContext) -> Iterator[Finding]:
    """Yield each expected failure that any failure meets."""
    for expected in context.scenario.expected_failures if context.scenario else ():
        if not expected.is_specific:
            hint = "write {because: …, message: …}, or 'step' instead of 'message'"
            yield Finding(expected.span, "any failure of any step counts as the expected one", hint)


def _asserts(visit: VisitedStep) -> bool:
    step, verb = visit.step, visit.step.verb
    asserts_by_itself = bool(verb.MUTATORS) or verb.NAME in ASSERTING_WITHOUT_MUTATORS
    return asserts_by_itself or step.error is not None or step.expect is not None


def compared_with_itself(context: LintContext) -> Iterator[Finding]:
    """Yield the steps that compare an image with itself whenever they run."""
    found: dict[Step, list[VisitedStep]] = {}
    for walk in context.walks:
        for visit in walk:
            if visit.step.verb is Compare:
                found.setdefault(visit.step, []).append(visit)
    for visits in found.values():
        if all(_compares_one_image(visit) for visit in visits):
            place = visits[0].locate(_second_image(visits[0].argument).span)
            yield Finding(place, "an image is compared with itself", "compare it with another image")


def _compares_one_image(visit: VisitedStep) -> bool:
    verb = visit.verb
    if not isinstance(verb, Compare) or verb.first.format != verb.second.format:
        return False
    return PurePosixPath(verb.first.file) == PurePosixPath(verb.second.file)


def _second_image(argument: Node) -> Node:
    images = argument.get("images") if isinstance(argument, MappingNode) else argument
    assert isinstance(images, SequenceNode)
    return images.items[1]
