"""Rules on names: what is declared and never used, and expressions without quotes. Imports subject.

A name that begins with `_` says that it is not meant to be used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from run_scenarios.core.nodes import MappingNode
from run_scenarios.lint.context import Finding, LintContext, is_expected_to_be_used
from run_scenarios.scenario.parser import find_calls
from run_scenarios.steps.verb import Step
from run_scenarios.syntax.render import find_expressions, find_variable_names

GONE = "nothing reads it before it is set again, or its block ends"


def unquoted_expression(subject: LintContext) -> Iterator[Finding]:
    """Yield the expressions in plain text, as far as YAML took them for text; the loader refuses the others."""
    returns = [each.returns for each in subject.procedures if each.returns is not None]
    in_steps = (each for step in subject.steps for each in step.expressions)
    for expression in (*in_steps, *(each for node in returns for each in find_expressions(node))):
        if not expression.quoted:
            yield Finding(expression.span, "an expression without quotes", 'write "…{{ … }}…"')


def saved_value_unused(subject: LintContext) -> Iterator[Finding]:
    """Yield the results that are saved and that nothing reads before they are gone."""
    for step, name in subject.unused_assignments:
        if step.saved_at:
            yield Finding(step.saved_at, f"the saved value '{name}' is never used", GONE)


def variable_unused(subject: LintContext) -> Iterator[Finding]:
    """Yield the variables of the scenario, of `set` and of `for-each` that nothing reads."""
    yield from _declared_unused(subject)
    for step, name in subject.unused_assignments:
        entry = step.argument.entry(name) if isinstance(step.argument, MappingNode) and not step.save else None
        if entry:
            yield Finding(entry.span, f"the variable '{name}' is never used", GONE)
    for step in subject.steps:
        if step.verb.NAME == "for-each" and isinstance(step.argument, MappingNode):
            entry = step.argument.entries[0]
            if is_expected_to_be_used(entry.key) and entry.key not in _names(step.body):
                hint = f"call it '_{entry.key}' if the steps are only to be repeated"
                yield Finding(entry.span, f"the variable '{entry.key}' is never used", hint)


def _declared_unused(subject: LintContext) -> Iterator[Finding]:
    if subject.scenario is None:
        return
    used = _names(subject.scenario.steps)
    for entry in subject.scenario.variables:
        if is_expected_to_be_used(entry.key) and entry.key not in used:
            yield Finding(entry.span, f"the variable '{entry.key}' is never used", "remove it")


def parameter_unused(subject: LintContext) -> Iterator[Finding]:
    """Yield the parameters that their procedure does not read."""
    for procedure in subject.procedures:
        used = _names(procedure.steps) | (find_variable_names(procedure.returns) if procedure.returns else set())
        for parameter in procedure.parameters.values():
            if is_expected_to_be_used(parameter.name) and parameter.name not in used:
                message = f"the parameter '{parameter.name}' of '{procedure.name}' is never used"
                yield Finding(parameter.span, message, "remove it, here and in the calls")


def procedure_unused(subject: LintContext) -> Iterator[Finding]:
    """Yield the procedures of a scenario that its steps never reach; those of a library are there for others."""
    if subject.scenario is None:
        return
    own = {each.name: each for each in subject.procedures}
    if not own:
        return
    reached: set[str] = set()
    waiting = [subject.scenario.steps]
    while waiting:
        called = {name for name, _ in find_calls(waiting.pop())} & own.keys() - reached
        reached |= called
        waiting += [tuple(own[name].steps) for name in called]
    for name in own.keys() - reached:
        if is_expected_to_be_used(name):
            yield Finding(own[name].span, f"the procedure '{name}' is never called", "remove it")


def dimension_unused(subject: LintContext) -> Iterator[Finding]:
    """Yield the dimensions of a matrix that no step reads, so that their cases are all the same."""
    if subject.scenario is None or subject.scenario.matrix is None:
        return
    used = _names(subject.scenario.steps)
    for entry in subject.scenario.matrix:
        if entry.key not in ("include", "exclude") and is_expected_to_be_used(entry.key) and entry.key not in used:
            message = f"the dimension '{entry.key}' is never used: its values all run the same case"
            yield Finding(entry.span, message, f"call it '_{entry.key}' if the case is only to be repeated")


def _names(steps: Iterable[Step]) -> set[str]:
    return set().union(*(step.mentions for step in steps))
