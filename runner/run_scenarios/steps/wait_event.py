"""The verb `wait-event`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonObject, JsonValue, Node, from_json
from run_scenarios.steps.argument_types import (
    MATCHER,
    TEXT,
    document,
    expand_short_form,
    object_schema,
    parse_matcher,
    parse_text,
)
from run_scenarios.steps.mutations import Mutation, mutate_expectation, mutate_keys, replace_key
from run_scenarios.steps.verb import Context, Verb, find_vm
from run_scenarios.syntax.matchers import find_mismatches, require_match


def _mutate_choice(verb: str, argument: Node) -> Iterator[Mutation]:
    """Choose the same event and expect another: a choice that matches no event would wait until the timeout."""
    whole = expand_short_form(argument, "name")
    name, match = whole.get("name"), whole.get("match")
    assert name is not None
    yield Mutation(name.span, {verb: replace_key(whole, "expect", from_json({"event": {"$absent": True}}, name.span))})
    for span, node, cannot_fail in mutate_expectation(match) if match is not None else ():
        yield Mutation(span, {verb: replace_key(whole, "expect", node)}, cannot_fail)


@dataclass(frozen=True)
class WaitEvent(Verb):
    """Consume the first unconsumed event of this name, or wait until one arrives.

    Events that arrived before the step count too. `match` chooses among the events of the name; `expect` checks the
    chosen one. Events that are not chosen remain unconsumed. An event from before the step that should cause it counts
    as well: `after` chooses only what came after the last event of another name, and `forget-events` empties the log.

    .. code-block:: yaml

        - wait-event: BLOCK_JOB_READY
        - wait-event:
            name: BLOCK_JOB_ERROR
            match: {data: {device: drive1}}
            expect: {data: {action: report, operation: read}}
        - wait-event: {name: STOP, after: RESUME}
    """

    NAME = "wait-event"
    MUTATORS = (_mutate_choice, mutate_keys("expect"))
    OPENS_FILES = False
    RESULT = "the event: `{event, data, timestamp}`"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            TEXT,
            object_schema(
                ["name"],
                name=document(TEXT, "name of the event"),
                match=document(MATCHER, "expected value for the whole event, to choose among events of this name"),
                expect=document(MATCHER, "expected value that the chosen event must match"),
                after=document(TEXT, "name of another event; only events that came after the last of that name count"),
            ),
        ]
    }

    name: str
    match: Node | None
    expect: Node | None
    after: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        whole = expand_short_form(argument, "name")
        match, expect = parse_matcher(whole.get("match")), parse_matcher(whole.get("expect"))
        return cls(parse_text(whole.get("name")), match, expect, parse_text(whole.get("after")))

    async def run(self, context: Context) -> JsonValue:
        machine = find_vm(context)
        context.describe_wait(f"the event {self.name}")
        event = await machine.event_wait(self._is_chosen, self.after)
        if self.expect:
            require_match(self.expect, event, f"event {self.name}")
        return event

    def _is_chosen(self, event: JsonObject) -> bool:
        return event["event"] == self.name and (self.match is None or not find_mismatches(self.match, event))
