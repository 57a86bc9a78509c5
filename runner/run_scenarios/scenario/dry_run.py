"""Visit every step of every case without running it, with the values that are known before a run.

A dry run finds unresolved names, missing procedures, wrong arguments and values of a wrong type, wherever they do not
depend on a running QEMU.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.errors import ScenarioError
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.nodes import UNKNOWN, JsonValue, Node, ScalarNode
from run_scenarios.core.source import Span
from run_scenarios.scenario.binding import bind_modifier, bind_step
from run_scenarios.scenario.case import Case
from run_scenarios.scenario.matrix import expand_matrix
from run_scenarios.scenario.model import Scenario
from run_scenarios.steps.eventually import Eventually
from run_scenarios.steps.for_each import ForEach
from run_scenarios.steps.scope import Block, Procedure, Scope
from run_scenarios.steps.verb import DEFAULT_VM, ControlFlowVerb, Step, Verb
from run_scenarios.syntax.render import render

MAX_STEPS = 50_000
MAX_DEPTH = 50
EMPTY: Mapping[str, JsonValue] = MappingProxyType({})
NO_MODIFIERS: Mapping[str, Node] = MappingProxyType({})


@unchecked_frozen
class VisitedStep:
    """A step that a dry run visited, with the values that were known by then.

    :param verb: None while a value is not known.
    :param modifiers: those of the step except `save`, as far as their values are known.
    :param outermost: the step of the scenario, or of the procedure checked on its own, that leads to this one.
    :param is_certain: whether a run is sure to reach this step, and to run it once here.
    """

    step: Step
    argument: Node
    verb: Verb | None
    modifiers: Mapping[str, Node]
    outermost: Step
    is_certain: bool

    @property
    def vm(self) -> str | None:
        """The name of the VM that the step addresses, None if it is not known."""
        node = self.modifiers.get("vm")
        if node is None:
            return DEFAULT_VM
        return str(node.value) if isinstance(node, ScalarNode) else None

    def locate(self, span: Span) -> Span:
        """Return `span` if it is in the file being checked, else the step of that file that leads to it."""
        return span if span.source == self.outermost.span.source else self.outermost.span


VisitedSteps = Sequence[VisitedStep]
"""The steps of one case, in the order they would run."""


@dataclass(frozen=True)
class DryRun:
    """The result of a dry run.

    :param cases: in the order of the matrix; they may run only if there are no diagnostics. Procedures have none.
    :param visited: the steps of each case or procedure.
    :param never_run: the steps whose `when` was false each time it was evaluated.
    :param diagnostics: everything that is wrong.
    """

    cases: list[Case]
    visited: list[VisitedSteps]
    never_run: frozenset[Step]
    diagnostics: tuple[Diagnostic, ...]


def dry_run(
    scenario: Scenario, overrides: Mapping[str, JsonValue] = EMPTY, *, variables_are_known: bool = True
) -> DryRun:
    """Visit the steps of each case of a scenario.

    :param overrides: values that replace those of the scenario's own variables; other names are ignored.
    :param variables_are_known: False to visit the steps with any values of the scenario's own variables.
    :raise ScenarioError: if its matrix is wrong, because there are no cases then.
    """
    cases = expand_matrix(scenario, overrides)
    visitors: list[_Visitor] = []
    budget = _Budget()
    for case in cases:
        visitors.append(_Visitor(budget))
        scope = case.make_scope(scenario.procedures)
        if not variables_are_known:
            scope.variables |= dict.fromkeys(case.variables, UNKNOWN)
        visitors[-1].visit_steps(scenario.steps, scope)
        if budget.is_exceeded:
            return _make_result(cases, visitors)
    procedures = find_reachable_procedures(scenario.procedures.values())
    return _make_result(cases, visitors, _check_procedures(procedures))


def _make_result(cases: list[Case], visitors: Sequence[_Visitor], further: Iterable[Diagnostic] = ()) -> DryRun:
    diagnostics = dict.fromkeys([*(each for visitor in visitors for each in visitor.diagnostics), *further])
    never_run = {step for visitor in visitors for step in visitor.left_out}
    if never_run:
        never_run -= {visit.step for visitor in visitors for visit in visitor.visited}
    return DryRun(
        cases,
        [visitor.visited for visitor in visitors],
        frozenset(never_run),
        tuple(sorted(diagnostics, key=lambda each: each.sort_key)),
    )


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


def dry_run_procedures(procedures: Iterable[Procedure], budget: _Budget | None = None) -> DryRun:
    """Visit the steps of procedures; the values of their arguments are not known."""
    visitors: list[_Visitor] = []
    budget = budget or _Budget()
    for procedure in procedures:
        visitors.append(_Visitor(budget))
        visitors[-1].visit_procedure(procedure)
        if budget.is_exceeded:
            break
    return _make_result([], visitors)


def _check_procedures(procedures: Iterable[Procedure]) -> Sequence[Diagnostic]:
    checked = [_check_procedure(procedure) for procedure in procedures]
    if sum(each.step_count for each in checked) > MAX_STEPS:
        return dry_run_procedures(procedures).diagnostics
    return [diagnostic for each in checked for diagnostic in each.diagnostics]


@dataclass(frozen=True)
class _CheckedProcedure:
    """What is wrong with a procedure, and how many steps its dry run visited."""

    diagnostics: tuple[Diagnostic, ...]
    step_count: int


@lru_cache(maxsize=1024)
def _check_procedure(procedure: Procedure) -> _CheckedProcedure:
    """Check a procedure once, however many scenarios import it."""
    budget = _Budget()
    found = dry_run_procedures([procedure], budget)
    return _CheckedProcedure(found.diagnostics, MAX_STEPS - budget.steps_left)


@dataclass
class _Budget:
    """How many more steps may be visited, in all cases of a scenario together."""

    steps_left: int = MAX_STEPS

    @property
    def is_exceeded(self) -> bool:
        return self.steps_left < 0

    def spend(self) -> None:
        """Count one step.

        :raise _BudgetExceeded: if it is one too many.
        """
        self.steps_left -= 1
        if self.is_exceeded:
            raise _BudgetExceeded


class _BudgetExceeded(Exception):
    """The dry run has visited more than `MAX_STEPS` steps."""


@unchecked_frozen
class _Position:
    """The place of a step in a dry run: how deep in blocks, and the last two fields of `VisitedStep`."""

    depth: int
    outermost: Step
    is_certain: bool


class _Visitor:
    """Visits the steps of one case or one procedure, in the order they would run."""

    def __init__(self, budget: _Budget) -> None:
        self.diagnostics: dict[Diagnostic, None] = {}
        self.visited: list[VisitedStep] = []
        self.left_out: list[Step] = []
        self._budget = budget

    def visit_procedure(self, procedure: Procedure) -> None:
        scope = Scope(dict.fromkeys(procedure.parameters, UNKNOWN), procedure.visible)
        self.visit_steps(procedure.steps, scope)
        if procedure.returns is not None and not self._budget.is_exceeded:
            try:
                render(procedure.returns, scope.variables)
            except ScenarioError as error:
                self._add(*error.diagnostics)

    def visit_steps(self, steps: Iterable[Step], scope: Scope) -> None:
        for step in steps:
            try:
                self._visit_step(step, scope, _Position(0, step, is_certain=True))
            except _BudgetExceeded:
                text = f"more than {MAX_STEPS} steps, counting all cases"
                self._add(Diagnostic(step.span, text, "use fewer repetitions, or split the scenario"))
                return

    def _visit_step(self, step: Step, scope: Scope, position: _Position) -> None:
        self._budget.spend()
        if step.parsed is not None and not step.modifiers and not issubclass(step.verb, ControlFlowVerb):
            # Checked completely by the parser already.
            self._record(step, step.argument, step.parsed, NO_MODIFIERS, position)
        else:
            try:
                self._bind_and_visit(step, scope, position)
            except ScenarioError as error:
                self._add(*error.diagnostics)
        if step.save:
            scope.set(step.save, UNKNOWN)

    def _bind_and_visit(self, step: Step, scope: Scope, position: _Position) -> None:
        when = bind_modifier(step, "when", scope)
        if isinstance(when, ScalarNode) and when.value is False:
            # Nothing else in it is evaluated, as in a run.
            self.left_out.append(step)
            return
        modifiers = {name: node for name in step.modifiers if (node := bind_modifier(step, name, scope)) is not None}
        bound = bind_step(step, scope)
        is_certain = position.is_certain and isinstance(when, ScalarNode | None)
        here = _Position(position.depth, position.outermost, is_certain)
        self._record(step, bound.argument, bound.verb, modifiers, here)
        if isinstance(bound.verb, ControlFlowVerb):
            inside = _Position(here.depth + 1, here.outermost, is_certain and _runs_body_once(bound.verb))
            for block in bound.verb.unfold(scope, step.body):
                self._visit_block(block, inside)

    def _visit_block(self, block: Block, position: _Position) -> None:
        for step in block.steps:
            if position.depth > MAX_DEPTH:
                self._add(Diagnostic(step.span, f"blocks and calls nested more than {MAX_DEPTH} deep"))
                return
            self._visit_step(step, block.scope, position)

    def _record(
        self, step: Step, argument: Node, verb: Verb | None, modifiers: Mapping[str, Node], position: _Position
    ) -> None:
        self.visited.append(VisitedStep(step, argument, verb, modifiers, position.outermost, position.is_certain))

    def _add(self, *diagnostics: Diagnostic) -> None:
        self.diagnostics |= dict.fromkeys(diagnostics)


def _runs_body_once(verb: ControlFlowVerb) -> bool:
    return not isinstance(verb, Eventually) and not (isinstance(verb, ForEach) and verb.items == (UNKNOWN,))
