"""The input of the rules: the steps of a file as written, and as the dry run visited them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from run_scenarios.core.nodes import MappingNode
from run_scenarios.core.source import Source, Span
from run_scenarios.scenario.dry_run import DryRun, VisitedSteps
from run_scenarios.scenario.model import Library, Scenario
from run_scenarios.steps.scope import Procedure
from run_scenarios.steps.set_ import Set
from run_scenarios.steps.verb import Step
from run_scenarios.syntax.render import find_variable_names


@dataclass(frozen=True)
class Finding:
    """A place that breaks a rule, and a hint how to fix it."""

    span: Span
    message: str
    hint: str


@dataclass(frozen=True)
class LintContext:
    """The file to check.

    :param scenario: None for a file of procedures.
    :param procedures: the procedures that the file declares.
    :param walks: the visited steps of each case; for a file of procedures, of each procedure.
    :param never_run: the steps that no case or procedure runs, as their `when` is always false.
    """

    source: Source
    scenario: Scenario | None
    procedures: tuple[Procedure, ...]
    walks: tuple[VisitedSteps, ...]
    never_run: frozenset[Step]

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every step of the file, including those in nested blocks."""
        blocks = [*(each.steps for each in self.procedures), *([self.scenario.steps] if self.scenario else [])]
        return tuple(step for block in blocks for step in walk_steps(block))

    @cached_property
    def unused_assignments(self) -> tuple[tuple[Step, str], ...]:
        """Each step that sets a variable which is not read before it goes out of scope, and the variable's name."""
        found: list[tuple[Step, str]] = []
        for procedure in self.procedures:
            found += _find_unread(
                procedure.steps, find_variable_names(procedure.returns) if procedure.returns else set()
            )
        return (*found, *(_find_unread(self.scenario.steps, set()) if self.scenario else ()))


def make_scenario_context(scenario: Scenario, found: DryRun) -> LintContext:
    """Return the file of a scenario in which the dry run found no errors."""
    source = scenario.span.source
    own = tuple(each for each in scenario.procedures.values() if each.span.source == source)
    return LintContext(source, scenario, own, tuple(found.visited), found.never_run)


def make_library_context(library: Library, found: DryRun) -> LintContext:
    """Return a file of procedures in which the dry run found no errors."""
    own = tuple(library.own.values())
    return LintContext(own[0].span.source, None, own, tuple(found.visited), found.never_run)


def walk_steps(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield these steps and the steps in their blocks."""
    for step in steps:
        yield step
        if step.body:
            yield from walk_steps(step.body)


def _find_unread(steps: Sequence[Step], read_later: set[str]) -> Iterator[tuple[Step, str]]:
    """Yield the unread assignments of a block, whose variables end with it; goes backwards through the steps."""
    needed = set(read_later)
    for step in reversed(steps):
        if names := _names_set_by(step):
            yield from ((step, name) for name in names if name not in needed and is_expected_to_be_used(name))
            if "when" not in step.modifiers:
                needed -= names
        needed |= step.mentions
        if step.body:
            yield from _find_unread(step.body, set())


def _names_set_by(step: Step) -> set[str]:
    if step.verb is Set and isinstance(step.argument, MappingNode):
        return set(step.argument.keys())
    return {step.save} if step.save else set()


def is_expected_to_be_used(name: str) -> bool:
    """Return whether a name that is never used deserves a warning: names that begin with `_` do not."""
    return not name.startswith("_")
