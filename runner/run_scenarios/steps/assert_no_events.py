"""The verb `assert-no-events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import StepFailed
from run_scenarios.core.nodes import JsonObject, JsonValue, MappingNode, Node, to_json
from run_scenarios.steps.argument_types import MATCHER, TEXT, described, matcher_of, record, text_of
from run_scenarios.steps.mutations import by_itself
from run_scenarios.steps.verb import Context, Verb, launched
from run_scenarios.syntax.matchers import describe, mismatches


@dataclass(frozen=True)
class AssertNoEvents(Verb):
    """Assert that no event is unconsumed: none at all, none of this name, or none that matches.

    QEMU is asked something harmless first, so that an event it has sent by now has been seen.

    .. code-block:: yaml

        - assert-no-events
        - assert-no-events: BLOCK_JOB_ERROR
        - assert-no-events: {match: {data: {device: drive1}}}
    """

    NAME = "assert-no-events"
    ASSERTS = (by_itself,)
    NAMES_FILES = False
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "null"},
            TEXT,
            record(
                [], name=described(TEXT, "the event's name"), match=described(MATCHER, "what such an event matches")
            ),
        ]
    }

    name: str
    match: Node | None

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if isinstance(argument, MappingNode):
            return cls(text_of(argument.get("name")), matcher_of(argument.get("match")))
        return cls("" if to_json(argument) is None else text_of(argument), None)

    async def run(self, context: Context) -> JsonValue:
        machine = launched(context)
        if not machine.has_ended_well:
            await machine.query("query-version")
        events = machine.events.unconsumed(self._concerned)
        if events:
            raise StepFailed(
                f"{len(events)} unconsumed event(s), the first is {events[0]['event']}",
                wanted="no event",
                found=describe(events[0]),
                details=tuple(describe(event) for event in events),
            )
        return None

    def _concerned(self, event: JsonObject) -> bool:
        named = not self.name or event["event"] == self.name
        return named and (self.match is None or not mismatches(self.match, event))
