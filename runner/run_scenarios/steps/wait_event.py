"""The verb `wait-event`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonObject, JsonValue, MappingNode, Node, from_json
from run_scenarios.steps.argument_types import MATCHER, TEXT, document, object_schema, parse_matcher, parse_text
from run_scenarios.steps.mutations import Mutation, expand_short_form, mutate_expectation, mutate_keys, replace_key
from run_scenarios.steps.verb import Context, Verb, find_vm
from run_scenarios.syntax.matchers import find_mismatches, require_match


def _chosen_otherwise(verb: str, argument: Node) -> Iterator[Mutation]:
    """Choose the same event and refuse it: one that matches nothing would be waited for in vain."""
    whole = expand_short_form(argument, "name")
    name, match = whole.get("name"), whole.get("match")
    assert name is not None
    yield Mutation(name.span, {verb: replace_key(whole, "expect", from_json({"event": {"$absent": True}}, name.span))})
    for span, node, cannot_fail in mutate_expectation(match) if match is not None else ():
        yield Mutation(span, {verb: replace_key(whole, "expect", node)}, cannot_fail)


@dataclass(frozen=True)
class WaitEvent(Verb):
    """Consume the first event of this name that nobody has consumed yet, however early it came, or wait for it.

    `match` chooses among events of the name; `expect` asserts on the one that was chosen. What is not chosen stays.

    .. code-block:: yaml

        - wait-event: BLOCK_JOB_READY
        - wait-event:
            name: BLOCK_JOB_ERROR
            match: {data: {device: drive1}}
            expect: {data: {action: report, operation: read}}
    """

    NAME = "wait-event"
    MUTATORS = (_chosen_otherwise, mutate_keys("expect"))
    OPENS_FILES = False
    RESULT = "the event: `{event, data, timestamp}`"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            TEXT,
            object_schema(
                ["name"],
                name=document(TEXT, "the event's name"),
                match=document(MATCHER, "what chooses the event"),
                expect=document(MATCHER, "what must hold of the chosen event"),
            ),
        ]
    }

    name: str
    match: Node | None
    expect: Node | None

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if not isinstance(argument, MappingNode):
            return cls(parse_text(argument), None, None)
        match, expect = parse_matcher(argument.get("match")), parse_matcher(argument.get("expect"))
        return cls(parse_text(argument.get("name")), match, expect)

    async def run(self, context: Context) -> JsonValue:
        machine = find_vm(context)
        context.describe_wait(f"the event {self.name}")
        event = await machine.event_wait(self._chosen)
        if self.expect:
            require_match(self.expect, event, f"event {self.name}")
        return event

    def _chosen(self, event: JsonObject) -> bool:
        return event["event"] == self.name and (self.match is None or not find_mismatches(self.match, event))
