"""The verb `forget-events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonObject, JsonValue, MappingNode, Node, to_json
from run_scenarios.steps.argument_types import MATCHER, TEXT, document, object_schema, parse_matcher, parse_text
from run_scenarios.steps.verb import Context, Verb, require_vm
from run_scenarios.syntax.matchers import find_mismatches


@dataclass(frozen=True)
class ForgetEvents(Verb):
    """Consume every event so far, or every one of this name or that matches, so that later steps see new ones only.

    QEMU is asked something harmless first, so that an event it has sent by now is forgotten too.

    .. code-block:: yaml

        - forget-events
        - forget-events: STOP
        - forget-events: {match: {data: {device: drive1}}}
    """

    NAME = "forget-events"
    MUTATORS = ()
    OPENS_FILES = False
    RESULT = "the number of events forgotten"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "null"},
            TEXT,
            object_schema(
                [],
                name=document(TEXT, "the name of the events to forget"),
                match=document(MATCHER, "what the events to forget match"),
            ),
        ]
    }

    name: str
    match: Node | None

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if isinstance(argument, MappingNode):
            return cls(parse_text(argument.get("name")), parse_matcher(argument.get("match")))
        return cls("" if to_json(argument) is None else parse_text(argument), None)

    async def run(self, context: Context) -> JsonValue:
        machine = require_vm(context)
        await machine.query("query-version")
        return machine.events.forget(self._is_meant)

    def _is_meant(self, event: JsonObject) -> bool:
        named = not self.name or event["event"] == self.name
        return named and (self.match is None or not find_mismatches(self.match, event))
