"""The verb `for-each`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from runner.errors import mistake
from runner.nodes import UNKNOWN, JsonValue, Mapping, Sequence, UnknownValue, to_json
from runner.steps.asserted import ASSERTS_NOTHING
from runner.steps.base import Block, FlowVerb, Scope, Step
from runner.steps.shapes import VARIABLE


@dataclass(frozen=True)
class ForEach(FlowVerb):
    """Run `steps` once for each item of a list, with a variable set to the item.

    .. code-block:: yaml

        - for-each: {drive: [drive0, drive1]}
          steps:
            - qmp: {execute: block-dirty-bitmap-add, arguments: {node: "{{ drive }}", name: bitmap0}}
    """

    NAME = "for-each"
    ASSERTS = ASSERTS_NOTHING
    TAKES_STEPS = True
    SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "propertyNames": VARIABLE,
        "additionalProperties": {"type": "array", "minItems": 1},
        "description": "the variable and its list",
    }

    variable: str
    items: tuple[JsonValue | UnknownValue, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if not isinstance(argument, Mapping):
            raise mistake(argument.span, "the variable of 'for-each' must be known before the run", "write its name")
        entry = argument.entries[0]
        if not isinstance(entry.value, Sequence):
            return cls(entry.key, (UNKNOWN,))
        return cls(entry.key, tuple(UNKNOWN if item.dynamic else to_json(item) for item in entry.value))

    def unfold(self, scope: Scope, body: tuple[Step, ...]) -> Iterator[Block]:
        for item in self.items:
            yield Block(body, Scope({**scope.variables, self.variable: item}, scope.procedures))
