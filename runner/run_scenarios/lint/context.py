"""What rules look at: the steps of a file as written, and as the dry walks met them. Imports plan and validate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from run_scenarios.core.nodes import MappingNode
from run_scenarios.core.source import Source, Span
from run_scenarios.scenario.dry_run import VisitedSteps
from run_scenarios.scenario.model import Library, Scenario
from run_scenarios.steps.scope import Procedure
from run_scenarios.steps.set_ import Set
from run_scenarios.steps.verb import Step
from run_scenarios.syntax.render import find_variable_names


@dataclass(frozen=True)
class Finding:
    """One place that breaks a rule, and what to do about it."""

    span: Span
    message: str
    hint: str


@dataclass(frozen=True)
class LintContext:
    """One file.

    :param scenario: None for a file of procedures.
    :param procedures: those that the file itself declares.
    :param walks: a dry walk through each case; in a file of procedures, through each of them.
    """

    source: Source
    scenario: Scenario | None
    procedures: tuple[Procedure, ...]
    walks: tuple[VisitedSteps, ...]

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every step written in the file, however deep in blocks."""
        blocks = [*(each.steps for each in self.procedures), *([self.scenario.steps] if self.scenario else [])]
        return tuple(step for block in blocks for step in walk_steps(block))

    @cached_property
    def unused_assignments(self) -> tuple[tuple[Step, str], ...]:
        """Each step with a name that it sets and that nothing reads before it is gone."""
        found: list[tuple[Step, str]] = []
        for procedure in self.procedures:
            found += _unread(procedure.steps, find_variable_names(procedure.returns) if procedure.returns else set())
        return (*found, *(_unread(self.scenario.steps, set()) if self.scenario else ()))


def make_scenario_context(scenario: Scenario, walks: Iterable[VisitedSteps]) -> LintContext:
    """Return a scenario's file, once planning has found nothing wrong with it."""
    source = scenario.span.source
    own = tuple(each for each in scenario.procedures.values() if each.span.source == source)
    return LintContext(source, scenario, own, tuple(walks))


def make_library_context(library: Library, walks: Iterable[VisitedSteps]) -> LintContext:
    """Return a file of procedures, once planning has found nothing wrong with it."""
    own = tuple(library.own.values())
    return LintContext(own[0].span.source, None, own, tuple(walks))


def walk_steps(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield these steps and those in their blocks."""
    for step in steps:
        yield step
        if step.body:
            yield from walk_steps(step.body)


def _unread(steps: Sequence[Step], read_later: set[str]) -> Iterator[tuple[Step, str]]:
    """Go backwards through a block, for what is set in it is gone at its end, and keep what is read further on."""
    needed = set(read_later)
    for step in reversed(steps):
        if names := _set_by(step):
            yield from ((step, name) for name in names if name not in needed and is_expected_to_be_used(name))
            if "when" not in step.modifiers:
                needed -= names
        needed |= step.mentions
        if step.body:
            yield from _unread(step.body, set())


def _set_by(step: Step) -> set[str]:
    if step.verb is Set and isinstance(step.argument, MappingNode):
        return set(step.argument.keys())
    return {step.save} if step.save else set()


def is_expected_to_be_used(name: str) -> bool:
    """Tell whether a name is meant to be used."""
    return not name.startswith("_")
