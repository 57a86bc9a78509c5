"""The verb `set`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from runner.errors import mistake
from runner.nodes import UNKNOWN, JsonValue, Mapping, UnknownValue, to_json
from runner.steps.asserted import ASSERTS_NOTHING
from runner.steps.base import Block, FlowVerb, Scope, Step
from runner.steps.shapes import VARIABLE


@dataclass(frozen=True)
class Set(FlowVerb):
    """Set variables for the steps that follow, here and in the blocks within.

    .. code-block:: yaml

        - set: {granularity: 65536, drives: [drive0, drive1]}
        - assert-bitmap: {node: drive0, name: bitmap0, granularity: "{{ granularity }}"}
        - for-each: {drive: "{{ drives }}"}
          steps:
            - flush: "{{ drive }}"
    """

    NAME = "set"
    ASSERTS = ASSERTS_NOTHING
    SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": VARIABLE,
        "description": "each variable with its value",
    }

    values: dict[str, JsonValue | UnknownValue]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if not isinstance(argument, Mapping):
            raise mistake(argument.span, "which variables 'set' sets must be known before the run", "write their names")
        return cls({entry.key: UNKNOWN if entry.value.dynamic else to_json(entry.value) for entry in argument})

    def unfold(self, scope: Scope, body: tuple[Step, ...]) -> Iterator[Block]:
        for name, value in self.values.items():
            scope.set(name, value)
        yield from ()
