"""The verb `assert`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import StepFailed
from run_scenarios.core.nodes import JsonValue, MappingNode, Node, ScalarNode, to_json
from run_scenarios.steps.argument_types import MATCHER, document, object_schema, parse_matcher
from run_scenarios.steps.mutations import Mutation, mutate_keys
from run_scenarios.steps.verb import Context, Verb
from run_scenarios.syntax.matchers import describe_value, require_match


def _mutate_expression(verb: str, argument: Node) -> Iterator[Mutation]:
    if not isinstance(argument, MappingNode):
        cannot_fail = "" if argument.dynamic else "it is the constant true"
        yield Mutation(argument.span, {verb: ScalarNode(argument.span, False)}, cannot_fail)


@dataclass(frozen=True)
class Assert(Verb):
    """Assert that an expression is true, or that a value matches an expected value.

    The second form reports the value when it fails.

    .. code-block:: yaml

        - qmp: query-version
          save: version
        - assert: "{{ version.qemu.major >= 7 }}"
        - assert: {value: "{{ version.qemu }}", expect: {major: {$ge: 7}}}
    """

    NAME = "assert"
    MUTATORS = (_mutate_expression, mutate_keys("expect"))
    OPENS_FILES = False
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "boolean"},
            object_schema(
                ["value", "expect"],
                value={"description": "value to check"},
                expect=document(MATCHER, "expected value"),
            ),
        ]
    }

    value: JsonValue
    expect: Node | None

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if isinstance(argument, MappingNode):
            value, expect = argument.get("value"), argument.get("expect")
            assert value is not None
            return cls(to_json(value), parse_matcher(expect))
        return cls(to_json(argument), None)

    async def run(self, context: Context) -> JsonValue:
        if self.expect is not None:
            require_match(self.expect, self.value, "the value")
        elif self.value is not True:
            raise StepFailed("the assertion is false", wanted="true", found=describe_value(self.value))
        return None
