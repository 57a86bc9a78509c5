"""What rules look at: the steps of a file as written, and as a dry walk meets them. Imports plan and validate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runner.errors import Source, Span
from runner.nodes import UNKNOWN, Node, Scalar
from runner.plan import VISITED, Bound, Case, bind, modifier
from runner.steps.base import DEFAULT_VM, FlowVerb, Procedure, Scope, Step
from runner.steps.eventually import Eventually
from runner.steps.for_each import ForEach
from runner.validate import Library, Scenario


@dataclass(frozen=True)
class Finding:
    """One place that breaks a rule, and what to do about it."""

    span: Span
    message: str
    hint: str


@dataclass(frozen=True)
class Encounter:
    """A step as a dry walk meets it.

    :param vm: the VM it is about, None if that is not known.
    :param top: the step of the scenario itself, or of the procedure looked at, that leads to it.
    :param certain: whether a run is known to come here, and just once in this place of the walk.
    """

    step: Step
    bound: Bound
    vm: str | None
    top: Step
    certain: bool

    def place(self, span: Span) -> Span:
        """Return `span` if it is in the file looked at, else the step there that leads to it."""
        return span if span.source == self.top.span.source else self.top.span


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
    walks: tuple[tuple[Encounter, ...], ...]

    def steps(self) -> Iterator[Step]:
        """Yield every step written in the file, however deep in blocks."""
        for procedure in self.procedures:
            yield from every_step(procedure.steps)
        if self.scenario:
            yield from every_step(self.scenario.steps)


def scenario_subject(scenario: Scenario, cases: Iterable[Case]) -> Subject:
    """Return a scenario's file, once planning has found nothing wrong with it."""
    source = scenario.span.source
    own = tuple(each for each in scenario.procedures.values() if each.span.source == source)
    return Subject(source, scenario, own, tuple(tuple(_walk(scenario.steps, case.scope())) for case in cases))


def library_subject(library: Library) -> Subject:
    """Return a file of procedures, once planning has found nothing wrong with it."""
    own = tuple(library.own.values())
    scopes = (Scope(dict.fromkeys(each.parameters, UNKNOWN), each.visible) for each in own)
    walks = tuple(tuple(_walk(each.steps, scope)) for each, scope in zip(own, scopes, strict=True))
    return Subject(own[0].span.source, None, own, walks)


def every_step(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield these steps and those in their blocks."""
    for step in steps:
        yield step
        yield from every_step(step.body)


def values_of(step: Step) -> Iterator[Node]:
    """Yield the argument of a step and what is beside it, its block left out."""
    yield step.argument
    for name in VISITED:
        node = getattr(step, name)
        if node is not None:
            yield node


def _walk(steps: Iterable[Step], scope: Scope, top: Step | None = None, certain: bool = True) -> Iterator[Encounter]:
    for step in steps:
        when = modifier(step, "when", scope)
        if isinstance(when, Scalar) and when.value is False:
            continue
        bound = bind(step, scope)
        sure = certain and isinstance(when, Scalar | None)
        yield Encounter(step, bound, _vm(step, scope), top or step, sure)
        if isinstance(bound.verb, FlowVerb):
            for block in bound.verb.unfold(scope, step.body):
                yield from _walk(block.steps, block.scope, top or step, sure and _runs_once(bound.verb))
        if step.save:
            scope.set(step.save, UNKNOWN)


def _runs_once(verb: FlowVerb) -> bool:
    return not isinstance(verb, Eventually) and not (isinstance(verb, ForEach) and verb.items == (UNKNOWN,))


def _vm(step: Step, scope: Scope) -> str | None:
    node = modifier(step, "vm", scope)
    if node is None:
        return DEFAULT_VM
    return str(node.value) if isinstance(node, Scalar) else None
