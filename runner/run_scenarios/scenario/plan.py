"""Scenarios to cases: the matrix, and a dry walk through every step with what is known before a run.

Imports validate and steps. The walk finds unresolved names, missing procedures, wrong arguments, and values of a wrong
type wherever they do not depend on a running QEMU.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType, NoneType
from typing import Any

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.errors import ScenarioError, scenario_error
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.nodes import (
    UNKNOWN,
    Entry,
    JsonObject,
    JsonValue,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    UnknownValue,
    to_json,
)
from run_scenarios.core.source import Span
from run_scenarios.scenario.model import Scenario, ScenarioFile
from run_scenarios.scenario.parser import parse_again
from run_scenarios.scenario.step_parser import DiagnosticCollector, check_argument, check_modifier, refuse_reserved_name
from run_scenarios.steps.eventually import Eventually
from run_scenarios.steps.for_each import ForEach
from run_scenarios.steps.scope import Block, Procedure, Scope
from run_scenarios.steps.verb import DEFAULT_VM, ControlFlowVerb, Step, Verb
from run_scenarios.syntax.matchers import describe_value, is_identical
from run_scenarios.syntax.render import Variables, render

MAX_CASES = 2_000
MAX_STEPS = 50_000
MAX_CALL_DEPTH = 50
MAX_REMEMBERED = 500
EMPTY: Mapping[str, JsonValue] = MappingProxyType({})
NO_MODIFIERS: Mapping[str, Node] = MappingProxyType({})
SCALARS = (str, int, float, NoneType)


@dataclass(frozen=True, eq=False)
class Case:
    """One run of a scenario: a combination of its matrix.

    It holds the text of the scenario and not what was made of it: of ten thousand cases, only a few run at a time.

    :param number: its position among the scenario's cases, from 0.
    :param dimensions: the value of each dimension of the matrix.
    :param variables: the values of the scenario's own variables.
    :param cap_s: the most that it may take, whatever its scenario says, None for no such limit.
    """

    file: ScenarioFile
    number: int
    dimensions: JsonObject
    label: str
    variables: JsonObject
    cap_s: float | None = None

    @property
    def scenario(self) -> Scenario:
        """What there is to run; the last few that were asked for are at hand."""
        return _opened(self.file)

    @property
    def selector(self) -> str:
        """The argument of the command that means this case alone."""
        return f"{self.file.path}::{self.label}" if self.label else self.file.path

    @property
    def timeout_s(self) -> float | None:
        """How long it may take: what its scenario says, and no longer than the cap; None if neither says anything."""
        own = self.scenario.timeout_s
        return min(own, self.cap_s) if own and self.cap_s else own or self.cap_s

    def name(self, *labels: str) -> str:
        """Return the case's name in reports, with these labels behind the values of its matrix."""
        every = ",".join(each for each in (self.label, *labels) if each)
        stem = self.file.path.removesuffix(".yaml")
        return f"{stem}[{every}]" if every else stem

    def scope(self) -> Scope:
        """Return a new scope for the case's first step."""
        return make_scope(self, self.scenario)


def make_scope(case: Case, scenario: Scenario) -> Scope:
    """Return a new scope for the first step of a case of a scenario that is open."""
    return Scope({**case.variables, **case.dimensions}, scenario.procedures)


@lru_cache(maxsize=64)
def _opened(file: ScenarioFile) -> Scenario:
    return parse_again(file)


@unchecked_frozen
class VisitedStep:
    """A step that a dry walk came by, with what is known of its values by then.

    :param verb: None while a value is not known.
    :param modifiers: those that the step has, all but `save`, as far as their values are known.
    :param top: the step of the scenario itself, or of the procedure looked at, that leads to it.
    :param certain: whether a run is known to come here, and just once in this place of the walk.
    """

    step: Step
    argument: Node
    verb: Verb | None
    modifiers: Mapping[str, Node]
    top: Step
    certain: bool

    @property
    def vm(self) -> str | None:
        """The VM that it is about, None if that is not known."""
        node = self.modifiers.get("vm")
        if node is None:
            return DEFAULT_VM
        return str(node.value) if isinstance(node, ScalarNode) else None

    def place(self, span: Span) -> Span:
        """Return `span` if it is in the file looked at, else the step there that leads to it."""
        return span if span.source == self.top.span.source else self.top.span


VisitedSteps = Sequence[VisitedStep]


@dataclass(frozen=True)
class DryRun:
    """What planning makes of a scenario.

    :param cases: in the order of its matrix; they are to be run only if nothing was found.
    :param walks: the steps that the dry walk through each came by, in the order they would run.
    :param found: everything that is wrong.
    """

    cases: list[Case]
    walks: list[VisitedSteps]
    found: tuple[Diagnostic, ...]


def plan(scenario: Scenario) -> list[Case]:
    """Return the cases of a scenario, in the order of its matrix, once the dry walk through each has found nothing.

    :raise ScenarioError: with everything that is wrong.
    """
    planned = dry_run(scenario)
    if planned.found:
        raise ScenarioError(*planned.found)
    return planned.cases


def dry_run(scenario: Scenario, given: Mapping[str, JsonValue] = EMPTY) -> DryRun:
    """Walk through each case of a scenario.

    :param given: values that take the place of those the scenario gives its variables; other names do not matter.
    :raise ScenarioError: if its matrix is wrong, for then there are no cases.
    """
    cases = _cases(scenario, given)
    walks: list[VisitedSteps] = []
    found: dict[Diagnostic, None] = {}
    budget = _Budget()
    for case in cases:
        walk = _Walk(budget)
        walks.append(walk.visits)
        walk.whole(scenario.steps, make_scope(case, scenario))
        found |= walk.found
        if walk.is_exhausted:
            break
    else:
        found |= dict.fromkeys(check_procedures(find_reachable_procedures(scenario.procedures.values())))
    return DryRun(cases, walks, tuple(sorted(found, key=lambda each: each.place)))


def find_reachable_procedures(procedures: Iterable[Procedure]) -> list[Procedure]:
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
    """Return what a dry walk through procedures finds, whatever their arguments; once each, whoever asks."""
    checked = [_checked(procedure) for procedure in procedures]
    if sum(each.length for each in checked) > MAX_STEPS:
        return dry_run_procedures(procedures)[0]
    return [finding for each in checked for finding in each.found]


@dataclass(frozen=True)
class _Checked:
    """What a dry walk through a procedure has found, and how many steps it had."""

    found: tuple[Diagnostic, ...]
    length: int


@lru_cache(maxsize=1024)
def _checked(procedure: Procedure) -> _Checked:
    budget = _Budget()
    found, _ = dry_run_procedures([procedure], budget)
    return _Checked(tuple(found), MAX_STEPS - budget.left)


def dry_run_procedures(
    procedures: Iterable[Procedure], budget: _Budget | None = None
) -> tuple[list[Diagnostic], list[VisitedSteps]]:
    """Return what is wrong with procedures whatever their arguments, and the steps of the dry walk through each."""
    found: dict[Diagnostic, None] = {}
    walks: list[VisitedSteps] = []
    budget = budget or _Budget()
    for procedure in procedures:
        walk = _Walk(budget)
        walks.append(walk.visits)
        scope = Scope(dict.fromkeys(procedure.parameters, UNKNOWN), procedure.visible)
        walk.whole(procedure.steps, scope)
        if not walk.is_exhausted and procedure.returns is not None:
            walk.attempt(procedure.returns, scope)
        found |= walk.found
        if walk.is_exhausted:
            break
    return list(found), walks


@unchecked_frozen
class BoundStep:
    """A step with its values in place; `verb` is None while one of them is not known."""

    argument: Node
    verb: Verb | None


def bind_step(step: Step, scope: Scope) -> BoundStep:
    """Put the values of a scope into a step's argument, and type it.

    :raise ScenarioError: for an unresolved name, or a value that the verb does not take.
    """
    if step.parsed is not None:
        return BoundStep(step.argument, step.parsed)
    values = (scope.variables.get(name, UNKNOWN) for name in step.names)
    keys = [value if isinstance(value, SCALARS) else _as_key(value) for value in values]
    return _bound(step, scope.variables) if UNKNOWN in keys else _bound_before(step, *keys)


class _Whole(str):
    """A list or a mapping, as JSON."""


def _as_key(value: JsonValue | UnknownValue) -> Hashable:
    """Return what a list or mapping is remembered by, `UNKNOWN` if it is not known or too much to remember."""
    if value is UNKNOWN:
        return value
    try:
        text = json.dumps(value)
    except (TypeError, RecursionError):
        return UNKNOWN
    return _Whole(text) if len(text) <= MAX_REMEMBERED else UNKNOWN


@lru_cache(maxsize=1024, typed=True)
def _bound_before(step: Step, *keys: Hashable) -> BoundStep:
    """Do the work once for the same values: rounds repeat them, and a procedure is mostly called with the same."""
    values: list[Any] = [json.loads(key) if isinstance(key, _Whole) else key for key in keys]
    return _bound(step, dict(zip(step.names, values, strict=True)))


def _bound(step: Step, variables: Variables) -> BoundStep:
    argument = render(step.argument, variables)
    wrong = check_argument(step.verb, argument, confined=step.confined)
    if wrong:
        raise ScenarioError(*wrong)
    parse = not argument.dynamic or issubclass(step.verb, ControlFlowVerb)
    return BoundStep(argument, step.verb.parse(argument) if parse else None)


def bind_modifier(step: Step, name: str, scope: Scope) -> Node | None:
    """Return the value of a modifier, None if the step does not have it.

    :raise ScenarioError: for an unresolved name, or a value that the modifier does not take.
    """
    node = step.modifiers.get(name)
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

    def __init__(self, budget: _Budget) -> None:
        self.found: dict[Diagnostic, None] = {}
        self.visits: list[VisitedStep] = []
        self._budget = budget

    @property
    def is_exhausted(self) -> bool:
        return self._budget.left < 0

    def whole(self, steps: Iterable[Step], scope: Scope) -> None:
        """Walk through the steps of a case, until there are too many of them."""
        for step in steps:
            try:
                self._one(step, scope, 0, step, certain=True)
            except _TooMany:
                text = f"more than {MAX_STEPS} steps, counted over all cases"
                self._add(Diagnostic(step.span, text, "loop less often, or split the scenario"))
                return

    def _one(self, step: Step, scope: Scope, depth: int, top: Step, *, certain: bool) -> None:
        self._budget.left -= 1
        if self._budget.left < 0:
            raise _TooMany
        if step.parsed is not None and not step.modifiers and not issubclass(step.verb, ControlFlowVerb):
            # There is nothing left to be found.
            self.visits.append(VisitedStep(step, step.argument, step.parsed, NO_MODIFIERS, top, certain))
        else:
            self._unsure(step, scope, depth, top, certain)
        if step.save:
            scope.set(step.save, UNKNOWN)

    def _unsure(self, step: Step, scope: Scope, depth: int, top: Step, certain: bool) -> None:
        try:
            self._step(step, scope, depth, top, certain)
        except ScenarioError as error:
            for each in error.diagnostics:
                self._add(each)

    def _block(self, block: Block, depth: int, top: Step, certain: bool) -> None:
        for step in block.steps:
            if depth > MAX_CALL_DEPTH:
                self._add(Diagnostic(step.span, f"blocks and calls more than {MAX_CALL_DEPTH} deep"))
                return
            self._one(step, block.scope, depth, top, certain=certain)

    def attempt(self, node: Node, scope: Scope) -> None:
        try:
            render(node, scope.variables)
        except ScenarioError as error:
            self.found |= dict.fromkeys(error.diagnostics)

    def _step(self, step: Step, scope: Scope, depth: int, top: Step, certain: bool) -> None:
        modifiers = {name: node for name in step.modifiers if (node := bind_modifier(step, name, scope)) is not None}
        when = modifiers.get("when")
        if isinstance(when, ScalarNode) and when.value is False:
            return
        bound, sure = bind_step(step, scope), certain and isinstance(when, ScalarNode | None)
        self.visits.append(VisitedStep(step, bound.argument, bound.verb, modifiers, top, sure))
        if isinstance(bound.verb, ControlFlowVerb):
            for block in bound.verb.unfold(scope, step.body):
                self._block(block, depth + 1, top, sure and _runs_once(bound.verb))

    def _add(self, diagnostic: Diagnostic) -> None:
        self.found[diagnostic] = None


def _runs_once(verb: ControlFlowVerb) -> bool:
    return not isinstance(verb, Eventually) and not (isinstance(verb, ForEach) and verb.items == (UNKNOWN,))


def _cases(scenario: Scenario, given: Mapping[str, JsonValue]) -> list[Case]:
    own = {each.key: given.get(each.key, to_json(each.value)) for each in scenario.variables}
    if scenario.matrix is None:
        return [Case(scenario.file, 0, {}, "", own)]
    rows = _rows(scenario.matrix)
    cases: dict[str, Case] = {}
    for number, (variables, span) in enumerate(rows):
        label = ",".join(f"{key}={_shown(variables[key])}" for key in sorted(variables))
        if label in cases:
            raise scenario_error(span, f"a second case called '{label}'", "a case is named by its values")
        cases[label] = Case(scenario.file, number, variables, label, own)
    return list(cases.values())


def _shown(value: JsonValue) -> str:
    return value if isinstance(value, str) else describe_value(value).split(" (")[0]


_Row = tuple[JsonObject, Span]


def _rows(matrix: MappingNode) -> list[_Row]:
    """Return the combinations of a matrix, each with the place to point at if it is wrong.

    :raise ScenarioError: with every mistake in it.
    """
    found = DiagnosticCollector()
    dimensions = [entry for entry in matrix if entry.key not in ("include", "exclude")]
    _refuse_too_many(matrix, dimensions)
    for entry in dimensions:
        with found:
            refuse_reserved_name(entry.key, entry.span)
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
        raise scenario_error(matrix.span, "the matrix leaves no case", "'exclude' takes all of them out")
    return rows


def _items(node: Node | None) -> list[MappingNode]:
    return [item for item in node if isinstance(item, MappingNode)] if isinstance(node, SequenceNode) else []


def _named(node: MappingNode) -> JsonObject:
    """Return the values of a combination, without the reason for it."""
    return {entry.key: to_json(entry.value) for entry in node if entry.key != "because"}


def _refuse_too_many(matrix: MappingNode, dimensions: list[Entry]) -> None:
    count = math.prod(len(entry.value.items) for entry in dimensions if isinstance(entry.value, SequenceNode))
    count += len(_items(matrix.get("include"))) - (0 if dimensions else 1)
    if count > MAX_CASES:
        raise scenario_error(
            matrix.span, f"the matrix has {count} combinations, more than {MAX_CASES}", "split the scenario"
        )


def _repeated(entry: Entry) -> Iterator[Diagnostic]:
    seen: set[tuple[type, object]] = set()
    for item in entry.value if isinstance(entry.value, SequenceNode) else ():
        value = to_json(item)
        if (type(value), value) in seen:
            yield Diagnostic(item.span, f"{describe_value(value)} stands twice in '{entry.key}'", "remove one")
        seen.add((type(value), value))


def _unknown_dimensions(node: MappingNode, names: list[str]) -> Iterator[Diagnostic]:
    for entry in node:
        if entry.key not in (*names, "because"):
            hint = did_you_mean(entry.key, names, f"dimensions: {', '.join(names)}")
            yield Diagnostic(entry.span, f"the matrix has no dimension '{entry.key}'", hint)


def _product(dimensions: list[Entry]) -> list[_Row]:
    if not dimensions:
        return []
    names = [entry.key for entry in dimensions]
    items = [entry.value.items for entry in dimensions if isinstance(entry.value, SequenceNode)]
    return [
        (dict(zip(names, map(to_json, combination), strict=True)), combination[-1].span)
        for combination in itertools.product(*items)
    ]


def _exclude(rows: list[_Row], excluded: list[MappingNode], found: DiagnosticCollector) -> list[_Row]:
    for node in excluded:
        pattern = _named(node)
        if not pattern:
            found.extend([Diagnostic(node.span, "this excludes every combination", "say which, not only why")])
            continue
        left = [row for row in rows if not all(is_identical(value, row[0][key]) for key, value in pattern.items())]
        if len(left) == len(rows):
            found.extend([Diagnostic(node.span, "this excludes no combination", "compare the values and their types")])
        rows = left
    return rows


def _include(node: MappingNode, names: list[str], found: DiagnosticCollector) -> _Row:
    row = _named(node)
    for name in names:
        if name not in row:
            found.extend([Diagnostic(node.span, f"this combination does not say '{name}'", f"add '{name}: …'")])
    return row, node.span
