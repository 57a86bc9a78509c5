"""The verb `set`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import scenario_error
from run_scenarios.core.nodes import UNKNOWN, JsonValue, MappingNode, UnknownValue, to_json
from run_scenarios.steps.argument_types import VARIABLE
from run_scenarios.steps.scope import Block, Scope
from run_scenarios.steps.verb import ControlFlowVerb, Step


@dataclass(frozen=True)
class Set(ControlFlowVerb):
    """Set variables for the following steps of this block and of the blocks inside it.

    .. code-block:: yaml

        - set: {granularity: 65536, drives: [drive0, drive1]}
        - assert-bitmap: {node: drive0, name: bitmap0, granularity: "{{ granularity }}"}
        - for-each: {drive: "{{ drives }}"}
          steps:
            - flush: "{{ drive }}"
    """

    NAME = "set"
    MUTATORS = ()
    SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": VARIABLE,
        "description": "values by variable name",
    }

    values: dict[str, JsonValue | UnknownValue]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if not isinstance(argument, MappingNode):
            raise scenario_error(
                argument.span,
                "the variables of 'set' must be known before the run",
                "write the names themselves, not an expression",
            )
        return cls({entry.key: UNKNOWN if entry.value.dynamic else to_json(entry.value) for entry in argument})

    def unfold(self, scope: Scope, body: tuple[Step, ...]) -> Iterator[Block]:
        for name, value in self.values.items():
            scope.set(name, value)
        yield from ()
