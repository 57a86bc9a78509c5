"""The verb `for-each`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import scenario_error
from run_scenarios.core.nodes import UNKNOWN, JsonValue, MappingNode, SequenceNode, UnknownValue, to_json
from run_scenarios.steps.argument_types import VARIABLE
from run_scenarios.steps.scope import Block, Scope
from run_scenarios.steps.verb import ControlFlowVerb, Step


@dataclass(frozen=True)
class ForEach(ControlFlowVerb):
    """Run `steps` once for each item of a list, with a variable set to that item.

    .. code-block:: yaml

        - for-each: {drive: [drive0, drive1]}
          steps:
            - qmp: {execute: block-dirty-bitmap-add, arguments: {node: "{{ drive }}", name: bitmap0}}
    """

    NAME = "for-each"
    MUTATORS = ()
    HAS_BODY = True
    SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "propertyNames": VARIABLE,
        "additionalProperties": {"type": "array", "minItems": 1},
        "description": "variable name and list of values",
    }

    variable: str
    items: tuple[JsonValue | UnknownValue, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if not isinstance(argument, MappingNode):
            raise scenario_error(
                argument.span,
                "the variable of 'for-each' must be known before the run",
                "write the name itself, not an expression",
            )
        entry = argument.entries[0]
        if not isinstance(entry.value, SequenceNode):
            return cls(entry.key, (UNKNOWN,))
        return cls(entry.key, tuple(UNKNOWN if item.dynamic else to_json(item) for item in entry.value))

    def unfold(self, scope: Scope, body: tuple[Step, ...]) -> Iterator[Block]:
        for item in self.items:
            yield Block(body, Scope({**scope.variables, self.variable: item}, scope.procedures))
