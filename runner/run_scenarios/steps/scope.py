"""The blocks of steps and procedures of a scenario, and the variables they see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from run_scenarios.core.nodes import JsonValue, Node, UnknownValue
from run_scenarios.core.source import Span
from run_scenarios.syntax.render import Variables

if TYPE_CHECKING:
    from run_scenarios.steps.verb import Step


class Scope:
    """The variables and procedures that a block of steps can use.

    Blocks inside it start with a copy; the scope of a procedure starts with the procedure's arguments only.
    """

    def __init__(self, variables: Variables, procedures: Mapping[str, Procedure]) -> None:
        self.variables: dict[str, JsonValue | UnknownValue] = dict(variables)
        self.procedures = procedures

    def set(self, name: str, value: JsonValue | UnknownValue) -> None:
        """Set a variable, or replace its value."""
        self.variables[name] = value


@dataclass(frozen=True)
class Block:
    """Steps to run in order in one scope."""

    steps: Sequence[Step]
    scope: Scope


@dataclass(frozen=True)
class Parameter:
    """One declared parameter of a procedure; `default` is None if callers must pass an argument."""

    name: str
    type: str
    default: Node | None
    span: Span


@dataclass(frozen=True, eq=False)
class Procedure:
    """A named sequence of steps with declared parameters and its own scope.

    :param visible: the procedures that its steps may call.
    """

    name: str
    span: Span
    parameters: Mapping[str, Parameter]
    steps: Sequence[Step]
    returns: Node | None
    visible: Mapping[str, Procedure]
