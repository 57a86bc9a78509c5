"""Scenarios to cases: the matrix, and a dry walk through every step with what is known before a run.

Imports validate and steps. The walk finds unresolved names, missing procedures, wrong arguments, and values of a wrong
type wherever they do not depend on a running QEMU.
"""

from __future__ import annotations

import itertools
import math
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from runner.errors import Diagnostic, ScenarioError, Span, did_you_mean, mistake
from runner.expressions import render
from runner.match import describe, same
from runner.model import Point
from runner.nodes import UNKNOWN, Entry, JsonObject, JsonValue, Mapping, Node, Scalar, Sequence, to_json
from runner.read_steps import Findings, argument_problems, check_modifier, refuse_reserved
from runner.steps.base import FlowVerb, Procedure, Scope, Step, Verb
from runner.validate import Scenario

MAX_CASES = 2_000
MAX_STEPS = 50_000
MAX_CALL_DEPTH = 50
VISITED = ("when", "name", "vm", "timeout", "error", "expect")


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
        stem = self.scenario.path.removesuffix(".yaml")
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


@dataclass(frozen=True)
class Visit:
    """A step that a dry walk came by, with what is known of its values by then."""

    step: Step
    argument: Node
    modifiers: dict[str, Node | None]


def _ignore(case: Case, visit: Visit) -> None:
    """Nobody wants to know."""


def plan(scenario: Scenario, observe: Callable[[Case, Visit], None] = _ignore) -> list[Case]:
    """Return the cases of a scenario, in the order of its matrix, once the dry walk through each has found nothing.

    :param observe: called with each step that the walks come by, in the order it would run.
    :raise ScenarioError: with everything that is wrong.
    """
    cases = list(_cases(scenario))
    found: dict[Diagnostic, None] = {}
    budget = _Budget()
    for case in cases:
        walk = _Walk(partial(observe, case), budget)
        walk.whole(scenario.steps, case.scope())
        found |= walk.found
        if walk.is_exhausted:
            break
    else:
        found |= dict.fromkeys(check_procedures(reachable(scenario.procedures.values())))
    if found:
        raise ScenarioError(*sorted(found, key=lambda each: each.place))
    return cases


def reachable(procedures: Iterable[Procedure]) -> list[Procedure]:
    """Return these procedures and those that they may call, whether or not a step calls them."""
    found: dict[Procedure, None] = {}
    left = list(procedures)
    while left:
        procedure = left.pop()
        if procedure not in found:
            found[procedure] = None
            left += procedure.visible.values()
    return list(found)


def check_procedures(procedures: Iterable[Procedure]) -> list[Diagnostic]:
    """Return what a dry walk through procedures finds, whatever their arguments."""
    walk = _Walk()
    for procedure in procedures:
        scope = Scope(dict.fromkeys(procedure.parameters, UNKNOWN), procedure.visible)
        walk.whole(procedure.steps, scope)
        if walk.is_exhausted:
            break
        if procedure.returns is not None:
            walk.attempt(procedure.returns, scope)
    return list(walk.found)


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
    check_modifier(name, value)
    return value


@dataclass
class _Budget:
    """How many steps may still be walked, over all cases of a scenario."""

    left: int = MAX_STEPS


class _TooMany(Exception):
    """The budget is used up."""


class _Walk:
    """One dry walk: what it found, and how far it may still go."""

    def __init__(self, observe: Callable[[Visit], None] = lambda visit: None, budget: _Budget | None = None) -> None:
        self.found: dict[Diagnostic, None] = {}
        self._observe = observe
        self._budget = budget or _Budget()

    @property
    def is_exhausted(self) -> bool:
        return self._budget.left < 0

    def whole(self, steps: Iterable[Step], scope: Scope) -> None:
        """Walk through the steps of a case, until there are too many of them."""
        for step in steps:
            try:
                self.steps([step], scope)
            except _TooMany:
                text = f"more than {MAX_STEPS} steps, counted over all cases"
                self._add(Diagnostic(step.span, text, "loop less often, or split the scenario"))
                return

    def steps(self, steps: Iterable[Step], scope: Scope, depth: int = 0) -> None:
        for step in steps:
            self._budget.left -= 1
            if self._budget.left < 0:
                raise _TooMany
            if depth > MAX_CALL_DEPTH:
                self._add(Diagnostic(step.span, f"blocks and calls more than {MAX_CALL_DEPTH} deep"))
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
            self.found |= dict.fromkeys(error.diagnostics)

    def _step(self, step: Step, scope: Scope, depth: int) -> None:
        modifiers = {name: modifier(step, name, scope) for name in VISITED}
        when = modifiers["when"]
        if isinstance(when, Scalar) and when.value is False:
            return
        bound = bind(step, scope)
        self._observe(Visit(step, bound.argument, modifiers))
        if isinstance(bound.verb, FlowVerb):
            for block in bound.verb.unfold(scope, step.body):
                self.steps(block.steps, block.scope, depth + 1)

    def _add(self, diagnostic: Diagnostic) -> None:
        self.found[diagnostic] = None


def _cases(scenario: Scenario) -> list[Case]:
    if scenario.matrix is None:
        return [Case(scenario, 0, {}, "")]
    rows = _rows(scenario.matrix)
    cases: dict[str, Case] = {}
    for number, (variables, span) in enumerate(rows):
        label = ",".join(f"{key}={_shown(variables[key])}" for key in sorted(variables))
        if label in cases:
            raise mistake(span, f"a second case called '{label}'", "a case is named by its values")
        cases[label] = Case(scenario, number, variables, label)
    return list(cases.values())


def _shown(value: JsonValue) -> str:
    return value if isinstance(value, str) else describe(value).split(" (")[0]


_Row = tuple[JsonObject, Span]


def _rows(matrix: Mapping) -> list[_Row]:
    """Return the combinations of a matrix, each with the place to point at if it is wrong.

    :raise ScenarioError: with every mistake in it.
    """
    found = Findings()
    dimensions = [entry for entry in matrix if entry.key not in ("include", "exclude")]
    _refuse_too_many(matrix, dimensions)
    for entry in dimensions:
        with found:
            refuse_reserved(entry.key, entry.span)
        found.extend(_repeated(entry))
    included = _items(matrix.get("include"))
    names = [entry.key for entry in dimensions] or [key for node in included[:1] for key in _named(node)]
    excluded = _items(matrix.get("exclude"))
    for node in (*excluded, *included):
        found.extend(_unknown_dimensions(node, names))
    found.raise_any()
    left = _exclude(_product(dimensions), excluded, found)
    rows = [*left, *(_include(node, names, found) for node in included)]
    found.raise_any()
    if not rows:
        raise mistake(matrix.span, "the matrix leaves no case", "'exclude' takes all of them out")
    return rows


def _items(node: Node | None) -> list[Mapping]:
    return [item for item in node if isinstance(item, Mapping)] if isinstance(node, Sequence) else []


def _named(node: Mapping) -> JsonObject:
    """Return the values of a combination, without the reason for it."""
    return {entry.key: to_json(entry.value) for entry in node if entry.key != "because"}


def _refuse_too_many(matrix: Mapping, dimensions: list[Entry]) -> None:
    count = math.prod(len(entry.value.items) for entry in dimensions if isinstance(entry.value, Sequence))
    if count > MAX_CASES:
        raise mistake(matrix.span, f"the matrix has {count} combinations, more than {MAX_CASES}", "split the scenario")


def _repeated(entry: Entry) -> Iterator[Diagnostic]:
    seen: set[tuple[type, object]] = set()
    for item in entry.value if isinstance(entry.value, Sequence) else ():
        value = to_json(item)
        if (type(value), value) in seen:
            yield Diagnostic(item.span, f"{describe(value)} stands twice in '{entry.key}'", "remove one")
        seen.add((type(value), value))


def _unknown_dimensions(node: Mapping, names: list[str]) -> Iterator[Diagnostic]:
    for entry in node:
        if entry.key not in (*names, "because"):
            hint = did_you_mean(entry.key, names, f"dimensions: {', '.join(names)}")
            yield Diagnostic(entry.span, f"the matrix has no dimension '{entry.key}'", hint)


def _product(dimensions: list[Entry]) -> list[_Row]:
    if not dimensions:
        return []
    names = [entry.key for entry in dimensions]
    items = [entry.value.items for entry in dimensions if isinstance(entry.value, Sequence)]
    return [
        (dict(zip(names, map(to_json, combination), strict=True)), combination[-1].span)
        for combination in itertools.product(*items)
    ]


def _exclude(rows: list[_Row], excluded: list[Mapping], found: Findings) -> list[_Row]:
    for node in excluded:
        pattern = _named(node)
        if not pattern:
            found.extend([Diagnostic(node.span, "this excludes every combination", "say which, not only why")])
            continue
        left = [row for row in rows if not all(same(value, row[0][key]) for key, value in pattern.items())]
        if len(left) == len(rows):
            found.extend([Diagnostic(node.span, "this excludes no combination", "compare the values and their types")])
        rows = left
    return rows


def _include(node: Mapping, names: list[str], found: Findings) -> _Row:
    row = _named(node)
    for name in names:
        if name not in row:
            found.extend([Diagnostic(node.span, f"this combination does not say '{name}'", f"add '{name}: …'")])
    return row, node.span
