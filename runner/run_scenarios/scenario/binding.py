"""Put the values of variables into a step's argument and modifiers, before a run and during it."""

from __future__ import annotations

from functools import lru_cache
from types import NoneType

from run_scenarios.core.errors import ScenarioError
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.nodes import UNKNOWN, Node
from run_scenarios.scenario.step_parser import check_argument, check_modifier
from run_scenarios.steps.scope import Scope
from run_scenarios.steps.verb import ControlFlowVerb, Step, Verb
from run_scenarios.syntax.render import Variables, render

MEMOIZED_TYPES = (str, int, NoneType)
"""Not float: 0.0 and -0.0 are equal keys, and different values."""


@unchecked_frozen
class BoundStep:
    """A step with its values in place; `verb` is None while one of them is not known."""

    argument: Node
    verb: Verb | None


def bind_step(step: Step, scope: Scope) -> BoundStep:
    """Put the values of a scope into a step's argument, and parse it.

    :raise ScenarioError: for an unresolved name, or a value that the verb does not take.
    """
    if step.parsed is not None:
        return BoundStep(step.argument, step.parsed)
    values = [scope.variables.get(name, UNKNOWN) for name in step.names]
    scalars = [value for value in values if isinstance(value, MEMOIZED_TYPES)]
    return _bind_memoized(step, *scalars) if len(scalars) == len(values) else _bind(step, scope.variables)


# `typed`, because 1 == True. The memo halves the time of dry runs: rounds and calls mostly repeat the same values.
@lru_cache(maxsize=1024, typed=True)
def _bind_memoized(step: Step, *values: str | int | None) -> BoundStep:
    return _bind(step, dict(zip(step.names, values, strict=True)))


def _bind(step: Step, variables: Variables) -> BoundStep:
    argument = render(step.argument, variables)
    wrong = check_argument(step.verb, argument, confined=step.confined)
    if wrong:
        raise ScenarioError(*wrong)
    can_parse = not argument.dynamic or issubclass(step.verb, ControlFlowVerb)
    return BoundStep(argument, step.verb.parse(argument) if can_parse else None)


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
