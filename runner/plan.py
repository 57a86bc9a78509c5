"""Scenarios to cases: the matrix, and a dry walk through every step with what is known before a run.

Imports validate and steps. The walk finds unresolved names, missing procedures, wrong arguments, and values of a wrong
type wherever they do not depend on a running QEMU.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runner.errors import Diagnostic, ScenarioError, Span, mistake
from runner.expressions import render
from runner.language import MODIFIERS
from runner.match import check_matcher, describe
from runner.model import Point
from runner.nodes import UNKNOWN, JsonObject, JsonValue, Mapping, Node, Scalar, Sequence, to_json
from runner.read_steps import argument_problems
from runner.schema import problems
from runner.steps.base import FlowVerb, Procedure, Scope, Step, Verb
from runner.validate import Scenario

MAX_CASES = 10_000
MAX_STEPS = 100_000
MAX_CALL_DEPTH = 50


@dataclass(frozen=True, eq=False)
class Case:
    """One run of a scenario: a combination of its matrix.

    :param number: its position among the scenario's cases, from 0.
    """

    scenario: Scenario
    number: int
    variables: JsonObject
    label: str

    @property
    def point(self) -> Point:
        """The case as reports name it."""
        stem = self.scenario.path.removesuffix(".yaml").removesuffix(".yml")
        selector = f"{self.scenario.path}::{self.label}" if self.label else self.scenario.path
        return Point(
            name=f"{stem}[{self.label}]" if self.label else stem,
            path=self.scenario.path,
            title=self.scenario.title,
            rerun=f"run-scenarios {shlex.quote(selector)}",
            tags=self.scenario.tags,
        )

    def scope(self) -> Scope:
        """Return a new scope for the case's first step."""
        return Scope(self.variables, self.scenario.procedures)


def plan(scenario: Scenario) -> list[Case]:
    """Return the cases of a scenario, in the order of its matrix, once the dry walk through each has found nothing.

    :raise ScenarioError: with everything that is wrong.
    """
    cases = list(_cases(scenario))
    found: list[Diagnostic] = []
    for case in cases:
        walk = _Walk()
        walk.steps(scenario.steps, case.scope())
        found += [each for each in walk.found if each not in found]
    if found:
        raise ScenarioError(*sorted(found, key=lambda each: (each.span.source.path, each.span.line, each.span.column)))
    return cases


def check_procedures(procedures: Iterable[Procedure]) -> list[Diagnostic]:
    """Return what a dry walk through procedures finds, whatever their arguments."""
    walk = _Walk()
    for procedure in procedures:
        scope = Scope(dict.fromkeys(procedure.parameters, UNKNOWN), procedure.visible)
        walk.steps(procedure.steps, scope)
        if procedure.returns is not None:
            walk.attempt(procedure.returns, scope)
    return walk.found


@dataclass(frozen=True)
class Bound:
    """A step with its values in place; `verb` is None while one of them is not known."""

    argument: Node
    verb: Verb | None


def bind(step: Step, scope: Scope) -> Bound:
    """Put the values of a scope into a step's argument, and type it.

    :raise ScenarioError: for an unresolved name, or a value that the verb does not take.
    """
    if not step.argument.dynamic:
        return Bound(step.argument, step.verb.parse(step.argument))
    argument = render(step.argument, scope.variables)
    wrong = argument_problems(step.verb, argument, confined=step.confined)
    if wrong:
        raise ScenarioError(*wrong)
    parse = not argument.dynamic or issubclass(step.verb, FlowVerb)
    return Bound(argument, step.verb.parse(argument) if parse else None)


def modifier(step: Step, name: str, scope: Scope) -> Node | None:
    """Return the value of a modifier, None if the step does not have it.

    :raise ScenarioError: for an unresolved name, or a value that the modifier does not take.
    """
    node: Node | None = getattr(step, name)
    if node is None or not node.dynamic:
        return node
    value = render(node, scope.variables)
    wrong = problems(value, MODIFIERS[name], f"'{name}'")
    if name in ("error", "expect"):
        check_matcher(value)
    if wrong:
        raise ScenarioError(*wrong)
    return value


class _Walk:
    """One dry walk: what it found, and how far it may still go."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []
        self._budget = MAX_STEPS

    def steps(self, steps: Iterable[Step], scope: Scope, depth: int = 0) -> None:
        for step in steps:
            self._budget -= 1
            if self._budget < 0 or depth > MAX_CALL_DEPTH:
                self._add(
                    Diagnostic(step.span, f"more than {MAX_STEPS} steps, or blocks more than {MAX_CALL_DEPTH} deep")
                )
                return
            try:
                self._step(step, scope, depth)
            except ScenarioError as error:
                for each in error.diagnostics:
                    self._add(each)
            if step.save:
                scope.set(step.save, UNKNOWN)

    def attempt(self, node: Node, scope: Scope) -> None:
        try:
            render(node, scope.variables)
        except ScenarioError as error:
            self.found += error.diagnostics

    def _step(self, step: Step, scope: Scope, depth: int) -> None:
        when = modifier(step, "when", scope)
        for name in ("name", "vm", "timeout", "error", "expect"):
            modifier(step, name, scope)
        if isinstance(when, Scalar) and when.value is False:
            return
        bound = bind(step, scope)
        if isinstance(bound.verb, FlowVerb):
            for block in bound.verb.unfold(scope, step.body):
                self.steps(block.steps, block.scope, depth + 1)

    def _add(self, diagnostic: Diagnostic) -> None:
        if diagnostic not in self.found:
            self.found.append(diagnostic)


def _cases(scenario: Scenario) -> Iterator[Case]:
    if scenario.matrix is None:
        yield Case(scenario, 0, {}, "")
        return
    labels: dict[str, Span] = {}
    for number, variables in enumerate(_combinations(scenario.matrix)):
        label = ",".join(f"{key}={_shown(variables[key])}" for key in sorted(variables))
        if label in labels:
            raise mistake(scenario.matrix.span, f"two cases are called '{label}'", "a value stands twice in the matrix")
        labels[label] = scenario.matrix.span
        yield Case(scenario, number, variables, label)


def _shown(value: JsonValue) -> str:
    return value if isinstance(value, str) else describe(value).split(" (")[0]


def _combinations(matrix: Mapping) -> list[JsonObject]:
    dimensions = [entry for entry in matrix if entry.key not in ("include", "exclude")]
    count = 1
    for entry in dimensions:
        if not isinstance(entry.value, Sequence) or entry.value.dynamic:
            raise mistake(entry.value.span, "the values of a matrix are written out, not computed")
        count *= len(entry.value.items)
    if count > MAX_CASES:
        raise mistake(matrix.span, f"the matrix has {count} combinations, more than {MAX_CASES}")
    names = [entry.key for entry in dimensions]
    values = [to_json(entry.value) for entry in dimensions]
    every = [dict(zip(names, combination, strict=True)) for combination in itertools.product(*values)]  # type: ignore[arg-type]
    kept = _exclude(every, matrix.get("exclude"), names)
    result = [*kept, *_include(matrix.get("include"), names)]
    if not result:
        raise mistake(matrix.span, "the matrix leaves no case", "'exclude' takes all of them out")
    return result


def _exclude(combinations: list[JsonObject], excluded: Node | None, names: list[str]) -> list[JsonObject]:
    for node in excluded if isinstance(excluded, Sequence) else ():
        assert isinstance(node, Mapping)
        pattern = {entry.key: to_json(entry.value) for entry in node if entry.key != "because"}
        for entry in node:
            if entry.key not in (*names, "because"):
                raise mistake(
                    entry.span, f"the matrix has no dimension '{entry.key}'", f"dimensions: {', '.join(names)}"
                )
        left = [each for each in combinations if not pattern.items() <= each.items()]
        if len(left) == len(combinations):
            raise mistake(node.span, "this excludes no combination")
        combinations = left
    return combinations


def _include(included: Node | None, names: list[str]) -> Iterator[JsonObject]:
    for node in included if isinstance(included, Sequence) else ():
        assert isinstance(node, Mapping)
        missing = [name for name in names if node.get(name) is None]
        if missing:
            raise mistake(node.span, f"this combination does not say '{missing[0]}'")
        yield {entry.key: to_json(entry.value) for entry in node if entry.key != "because"}
