"""Rules about unused names, and about expressions without quotes.

A name that begins with `_` is meant to be unused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from run_scenarios.core.nodes import MappingNode
from run_scenarios.lint.context import Finding, LintContext, is_expected_to_be_used
from run_scenarios.scenario.parser import find_calls
from run_scenarios.steps.verb import Step
from run_scenarios.syntax.render import find_expressions, find_variable_names

NOT_READ = "it is not read before it is set again or its block ends"


def unquoted_expression(context: LintContext) -> Iterator[Finding]:
    """Yield the expressions in plain scalars; where YAML reads a mapping instead, the loader reports an error."""
    returns = [each.returns for each in context.procedures if each.returns is not None]
    in_steps = (each for step in context.steps for each in step.expressions)
    for expression in (*in_steps, *(each for node in returns for each in find_expressions(node))):
        if not expression.quoted:
            yield Finding(expression.span, "an expression without quotes", 'write "…{{ … }}…"')


def saved_value_unused(context: LintContext) -> Iterator[Finding]:
    """Yield the saved results that are not read."""
    for step, name in context.unused_assignments:
        if step.saved_at:
            yield Finding(step.saved_at, f"the saved value '{name}' is never used", NOT_READ)


def variable_unused(context: LintContext) -> Iterator[Finding]:
    """Yield the variables of the scenario, of `set` and of `for-each` that are not read."""
    yield from _unused_scenario_variables(context)
    for step, name in context.unused_assignments:
        entry = step.argument.entry(name) if isinstance(step.argument, MappingNode) and not step.save else None
        if entry:
            yield Finding(entry.span, f"the variable '{name}' is never used", NOT_READ)
    for step in context.steps:
        if step.verb.NAME == "for-each" and isinstance(step.argument, MappingNode):
            entry = step.argument.entries[0]
            if is_expected_to_be_used(entry.key) and entry.key not in _used_names(step.body):
                hint = f"rename it to '_{entry.key}' if it only repeats the steps"
                yield Finding(entry.span, f"the variable '{entry.key}' is never used", hint)


def _unused_scenario_variables(context: LintContext) -> Iterator[Finding]:
    if context.scenario is None:
        return
    used = _used_names(context.scenario.steps)
    for entry in context.scenario.variables:
        if is_expected_to_be_used(entry.key) and entry.key not in used:
            yield Finding(entry.span, f"the variable '{entry.key}' is never used", "remove it")


def parameter_unused(context: LintContext) -> Iterator[Finding]:
    """Yield the parameters that their procedure does not read."""
    for procedure in context.procedures:
        used = _used_names(procedure.steps) | (find_variable_names(procedure.returns) if procedure.returns else set())
        for parameter in procedure.parameters.values():
            if is_expected_to_be_used(parameter.name) and parameter.name not in used:
                message = f"the parameter '{parameter.name}' of '{procedure.name}' is never used"
                yield Finding(parameter.span, message, "remove it here and from the calls")


def procedure_unused(context: LintContext) -> Iterator[Finding]:
    """Yield the procedures of a scenario that its steps never call; those of other files are for importers."""
    if context.scenario is None:
        return
    own = {each.name: each for each in context.procedures}
    if not own:
        return
    reached: set[str] = set()
    pending = [context.scenario.steps]
    while pending:
        called = {name for name, _ in find_calls(pending.pop())} & own.keys() - reached
        reached |= called
        pending += [tuple(own[name].steps) for name in called]
    for name in own.keys() - reached:
        if is_expected_to_be_used(name):
            yield Finding(own[name].span, f"the procedure '{name}' is never called", "remove it")


def dimension_unused(context: LintContext) -> Iterator[Finding]:
    """Yield the matrix dimensions that no step reads, so that their cases do not differ."""
    if context.scenario is None or context.scenario.matrix is None:
        return
    used = _used_names(context.scenario.steps)
    for entry in context.scenario.matrix:
        if entry.key not in ("include", "exclude") and is_expected_to_be_used(entry.key) and entry.key not in used:
            message = f"the dimension '{entry.key}' is never used: all its values run the same case"
            yield Finding(entry.span, message, f"rename it to '_{entry.key}' if it only repeats the case")


def _used_names(steps: Iterable[Step]) -> set[str]:
    return set().union(*(step.mentions for step in steps))
