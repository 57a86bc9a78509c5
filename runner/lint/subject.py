"""What rules look at: the steps of a file as written, and as the dry walks met them. Imports plan and validate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from runner.errors import Source, Span
from runner.plan import Walk
from runner.scenario import Library, Scenario
from runner.steps.base import Procedure, Step


@dataclass(frozen=True)
class Finding:
    """One place that breaks a rule, and what to do about it."""

    span: Span
    message: str
    hint: str


@dataclass(frozen=True)
class Subject:
    """One file.

    :param scenario: None for a file of procedures.
    :param procedures: those that the file itself declares.
    :param walks: a dry walk through each case; in a file of procedures, through each of them.
    """

    source: Source
    scenario: Scenario | None
    procedures: tuple[Procedure, ...]
    walks: tuple[Walk, ...]

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every step written in the file, however deep in blocks."""
        blocks = [*(each.steps for each in self.procedures), *([self.scenario.steps] if self.scenario else [])]
        return tuple(step for block in blocks for step in every_step(block))


def scenario_subject(scenario: Scenario, walks: Iterable[Walk]) -> Subject:
    """Return a scenario's file, once planning has found nothing wrong with it."""
    source = scenario.span.source
    own = tuple(each for each in scenario.procedures.values() if each.span.source == source)
    return Subject(source, scenario, own, tuple(walks))


def library_subject(library: Library, walks: Iterable[Walk]) -> Subject:
    """Return a file of procedures, once planning has found nothing wrong with it."""
    own = tuple(library.own.values())
    return Subject(own[0].span.source, None, own, tuple(walks))


def every_step(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield these steps and those in their blocks."""
    for step in steps:
        yield step
        if step.body:
            yield from every_step(step.body)
