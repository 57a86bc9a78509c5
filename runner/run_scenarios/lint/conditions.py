"""The rule about steps whose `when` is never true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jinja2.nodes

from run_scenarios.core.nodes import ExpressionNode
from run_scenarios.lint.context import Finding, LintContext, walk_steps
from run_scenarios.scenario.dry_run import dry_run
from run_scenarios.steps.verb import Step
from run_scenarios.syntax.matchers import describe_value
from run_scenarios.syntax.sandbox import ENVIRONMENT

KINDS = {"string": "text", "integer": "number", "number": "number", "boolean": "number", "list": "list"}
KINDS |= {"mapping": "mapping"}
"""Values of different kinds are never equal. Parameters of the other types take values of several kinds."""
HINT = "compare the values and their types: 1 is not '1'"


def condition_never_true(context: LintContext) -> Iterator[Finding]:
    """Yield each `when` that is false in every case, or compares a parameter with a value of another type."""
    for step in sorted(_find_never_run(context), key=lambda each: each.span[1:]):
        when = step.modifiers["when"]
        hint = HINT if isinstance(when, ExpressionNode) else "remove the step"
        yield Finding(when.span, "'when' is never true, so this step never runs", hint)
    for procedure in context.procedures:
        types = {name: each.type for name, each in procedure.parameters.items()}
        for step in walk_steps(procedure.steps):
            if step not in context.never_run:
                yield from _find_impossible_comparison(step, types)


def _find_never_run(context: LintContext) -> set[Step]:
    """Return the steps of this file that never run, with any values of the variables that the user may override."""
    never_run = {step for step in context.never_run if step.span.source == context.source}
    if never_run and context.scenario and context.scenario.variables:
        never_run &= dry_run(context.scenario, variables_are_known=False).never_run
    return never_run


def _find_impossible_comparison(step: Step, types: Mapping[str, str]) -> Iterator[Finding]:
    when = step.modifiers.get("when")
    if isinstance(when, ExpressionNode):
        for name, value in _list_required_equalities(ENVIRONMENT.parse(when.text)):
            kind = KINDS.get(types.get(name, ""))
            if kind and kind != _find_kind(value):
                message = f"'when' is never true: parameter '{name}' has the type {types[name]}"
                yield Finding(when.span, message, f"it never equals {describe_value(value)}")


def _list_required_equalities(tree: jinja2.nodes.Node) -> Iterator[tuple[str, Any]]:
    """Yield each `variable == constant` without which an expression is false."""
    match tree:
        case jinja2.nodes.Template(body=[jinja2.nodes.Output(nodes=[node])]):
            yield from _list_required_equalities(node)
        case jinja2.nodes.And():
            yield from _list_required_equalities(tree.left)
            yield from _list_required_equalities(tree.right)
        case jinja2.nodes.Compare(expr=left, ops=[jinja2.nodes.Operand(op="eq", expr=right)]):
            for one, other in ((left, right), (right, left)):
                if isinstance(one, jinja2.nodes.Name) and isinstance(other, jinja2.nodes.Const):
                    yield one.name, other.value


def _find_kind(value: object) -> str:
    return "text" if isinstance(value, str) else "number" if isinstance(value, int | float) else "null"
