"""The verb `assert-no-events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import StepFailed
from run_scenarios.core.nodes import JsonObject, JsonValue, Node
from run_scenarios.steps.argument_types import (
    MATCHER,
    TEXT,
    document,
    expand_short_form,
    object_schema,
    parse_matcher,
    parse_text,
)
from run_scenarios.steps.mutations import replace_with_failure
from run_scenarios.steps.verb import Context, Verb, find_vm
from run_scenarios.syntax.matchers import describe_value, find_mismatches

MAX_SHOWN = 20


@dataclass(frozen=True)
class AssertNoEvents(Verb):
    """Assert that there is no unconsumed event: none at all, or none with this name or content.

    A query is sent to QEMU first, so that every event that QEMU has sent by then has arrived. QEMU holds back a few
    events, such as `BLOCK_IO_ERROR` and `QUORUM_REPORT_BAD`, for up to a second after one of the same name; after such
    an event, the step waits for that second.

    .. code-block:: yaml

        - assert-no-events
        - assert-no-events: BLOCK_JOB_ERROR
        - assert-no-events: {match: {data: {device: drive1}}}
    """

    NAME = "assert-no-events"
    MUTATORS = (replace_with_failure,)
    OPENS_FILES = False
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "null"},
            TEXT,
            object_schema(
                [],
                name=document(TEXT, "name of the event"),
                match=document(MATCHER, "expected value for the whole event; events that do not match are ignored"),
            ),
        ]
    }

    name: str
    match: Node | None

    @classmethod
    def parse(cls, argument: Any) -> Self:
        whole = expand_short_form(argument, "name")
        return cls(parse_text(whole.get("name")), parse_matcher(whole.get("match")))

    async def run(self, context: Context) -> JsonValue:
        import asyncio

        machine = find_vm(context)
        if not machine.exited_as_expected:
            await asyncio.sleep(machine.events.throttled_for_s())
            await machine.query("query-version")
        events = machine.events.unconsumed(self._is_unwanted)
        if events:
            raise StepFailed(
                f"{machine.events.count(self._is_unwanted)} unconsumed event(s), the first is {events[0]['event']}",
                wanted="no event",
                found=describe_value(events[0]),
                details=tuple(describe_value(event) for event in events[:MAX_SHOWN]),
            )
        return None

    def _is_unwanted(self, event: JsonObject) -> bool:
        named = not self.name or event["event"] == self.name
        return named and (self.match is None or not find_mismatches(self.match, event))
