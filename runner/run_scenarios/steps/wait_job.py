"""The verb `wait-job`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from run_scenarios.core.errors import StepFailed, scenario_error
from run_scenarios.core.nodes import JsonObject, JsonValue, MappingNode, Node, ScalarNode, make_mapping
from run_scenarios.steps.argument_types import (
    MATCHER,
    TEXT,
    document,
    enum_schema,
    object_schema,
    parse_matcher,
    parse_text,
)
from run_scenarios.steps.mutations import Mutation, expand_short_form, mutate_keys, replace_key, replace_text
from run_scenarios.steps.verb import Context, Verb, require_vm
from run_scenarios.syntax.matchers import describe_value, require_match

if TYPE_CHECKING:
    from run_scenarios.qemu.machine import Machine

OUTCOMES = ("completed", "failed", "cancelled")
STOPS = ("ready", "paused", "standby", "waiting", "pending", "concluded", "null")
ENDS = ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED")


def _another_outcome(verb: str, argument: Node) -> Iterator[Mutation]:
    """Expect another outcome where one is said, or where the job is followed to its end; `until` only says how far."""
    whole = expand_short_form(argument, "id")
    outcome, until = whole.get("outcome"), whole.get("until")
    to_the_end = until is None or (isinstance(until, ScalarNode) and until.value in ("null", "concluded"))
    if outcome is None and not to_the_end:
        return
    other = replace_text(outcome or ScalarNode(argument.span, "completed"), "cancelled", "completed")
    without_error = make_mapping(whole.span, tuple(entry for entry in whole if entry.key != "error"))
    yield Mutation(other.span, {verb: replace_key(without_error, "outcome", other)})


@dataclass(frozen=True)
class WaitJob(Verb):
    """Follow one job to its end, and check how it ends; by default it must complete, with offset equal to len.

    Consumes the job's `JOB_STATUS_CHANGE` events up to `null`, and its `BLOCK_JOB_COMPLETED` or `BLOCK_JOB_CANCELLED`.
    Fails at once if the job ends another way or too early, is stopped by an I/O error, or does not exist. A job that
    must fail names its `error`. `until` stops earlier: at `concluded` for a job that is not dismissed by itself, at
    `ready`, `paused` or `pending` for one that then waits for a command. QEMU also pauses a job for a moment while it
    drains a node, so for a pause that an error causes wait for `BLOCK_JOB_ERROR` instead.

    .. code-block:: yaml

        - wait-job: drive0
        - wait-job: {id: drive0, outcome: cancelled}
        - wait-job: {id: drive1, outcome: failed, error: Input/output error}
        - wait-job: {id: mirror0, until: ready}
    """

    NAME = "wait-job"
    MUTATORS = (_another_outcome, mutate_keys("error"))
    OPENS_FILES = False
    RESULT = "`{outcome, statuses, error?, len?, offset?}`"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            TEXT,
            object_schema(
                ["id"],
                id=document(TEXT, "the job's id; that of a job started without one is its device"),
                outcome=document(enum_schema(*OUTCOMES), "how it must end; `completed` by default"),
                error=document(MATCHER, "the error it must fail with"),
                until=document(enum_schema(*STOPS), "the status to wait for; `null` by default"),
            ),
        ]
    }

    id: str
    outcome: str
    error: Node | None
    until: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if not isinstance(argument, MappingNode):
            return cls(parse_text(argument), "completed", None, "null")
        outcome, error = parse_text(argument.get("outcome"), "completed"), parse_matcher(argument.get("error"))
        if outcome == "failed" and error is None:
            raise scenario_error(
                argument.span, "'outcome: failed' needs the 'error' it fails with", "error: Input/output error"
            )
        if error is not None and outcome != "failed":
            raise scenario_error(error.span, "'error' goes with 'outcome: failed'")
        return cls(parse_text(argument.get("id")), outcome, error, parse_text(argument.get("until"), "null"))

    async def run(self, context: Context) -> JsonValue:
        machine = require_vm(context)
        await self._must_exist(machine)
        end = _End()
        while end.status != self.until:
            aim = "to end" if self.until == "null" else f"to be {self.until}"
            context.describe_wait(f"job '{self.id}' {aim} (last seen: {end.status or 'nothing'})")
            end.add(await machine.event_wait(self._concerned))
            if end.statuses == ["null"] and machine.events.unconsumed(self._is_creation):
                end = _End()  # left behind by an earlier job of this id, dismissed after 'until: concluded'
            self._check_outcome(end)
            await self._must_go_on(machine, end)
        if self.until == "concluded" and not end.outcome:
            await self._ask_outcome(machine, end)
            self._check_outcome(end)
        elif self.until == "null" and not end.outcome:
            self._infer_outcome(end)
        return end.result()

    def _infer_outcome(self, end: _End) -> None:
        """A job without an end event is judged by its way; one that was waited for until concluded was judged then."""
        if end.statuses == ["null"]:
            return
        if "concluded" not in end.statuses:
            raise StepFailed(
                f"job '{self.id}' never ran: QEMU made it for a command that it then refused",
                wanted=self.outcome,
                found=", ".join(end.statuses),
                hint="consume the events of a refused job with 'wait-event'",
            )
        end.outcome = "failed" if "aborting" in end.statuses else "completed"
        self._check_outcome(end)

    def _concerned(self, event: JsonObject) -> bool:
        data = event.get("data")
        if not isinstance(data, dict):
            return False
        if event["event"] == "JOB_STATUS_CHANGE":
            return data["id"] == self.id
        return event["event"] in ENDS and data["device"] == self.id

    def _is_creation(self, event: JsonObject) -> bool:
        return _says(event, "JOB_STATUS_CHANGE", id=self.id, status="created")

    async def _must_exist(self, machine: Machine) -> None:
        if machine.events.unconsumed(self._concerned):
            return
        jobs = [job["id"] for job in await machine.query("query-jobs")]
        if self.id not in jobs and not machine.events.unconsumed(self._concerned):
            raise StepFailed(
                f"there is no job '{self.id}', and none has ended", hint=f"jobs: {', '.join(jobs) or 'none'}"
            )

    async def _must_go_on(self, machine: Machine, end: _End) -> None:
        """A job that was stopped by an error, waits to be dismissed or has ended would keep us waiting for nothing."""
        if end.status == self.until:
            return
        if end.status == "paused":
            self._must_not_be_stopped(machine)
        elif end.status == "concluded" and self.until == "null":
            await self._must_be_dismissed(machine)
        elif end.status in ("concluded", "null"):
            raise StepFailed(
                f"job '{self.id}' has ended without being {self.until}",
                wanted=self.until,
                found=", ".join(end.statuses),
            )

    def _must_not_be_stopped(self, machine: Machine) -> None:
        stops = machine.events.unconsumed(self._is_stop)
        if stops:
            raise StepFailed(
                f"job '{self.id}' was stopped by an I/O error", wanted=self.outcome, found=describe_value(stops[0])
            )

    async def _must_be_dismissed(self, machine: Machine) -> None:
        if machine.events.unconsumed(self._concerned):
            return
        jobs = {job["id"]: job for job in await machine.query("query-jobs")}
        if self.id in jobs and not machine.events.unconsumed(self._concerned):
            error = jobs[self.id].get("error")
            said = f" with '{error}'" if error else ""
            raise StepFailed(
                f"job '{self.id}' has concluded{said} and waits for 'job-dismiss'", hint="wait with 'until: concluded'"
            )

    def _is_stop(self, event: JsonObject) -> bool:
        return _says(event, "BLOCK_JOB_ERROR", device=self.id, action="stop")

    async def _ask_outcome(self, machine: Machine, end: _End) -> None:
        """A job that is no block job sends no `BLOCK_JOB_COMPLETED`; while it is not dismissed it can be asked."""
        jobs: dict[str, JsonObject] = {job["id"]: job for job in await machine.query("query-jobs")}
        job = jobs.get(self.id, {})
        end.error = job.get("error")
        aborted = "aborting" in end.statuses
        end.outcome = "failed" if end.error else "cancelled" if aborted else "completed"

    def _check_outcome(self, end: _End) -> None:
        if not end.outcome:
            return
        if end.outcome != self.outcome:
            said = f" with '{end.error}'" if end.error else ""
            wanted = f"expected it to be {self.outcome}" if self.outcome != "completed" else "expected it to complete"
            raise StepFailed(
                f"job '{self.id}' {_past(end.outcome)}{said}; {wanted}",
                wanted=self.outcome,
                found=f"{end.outcome}{said}",
                details=(describe_value(end.result()),),
            )
        if self.error is not None:
            require_match(self.error, end.error, f"job '{self.id}' failed with another error")
        if end.outcome == "completed" and end.progress.get("offset") != end.progress.get("len"):
            raise StepFailed(
                f"job '{self.id}' completed with offset {end.progress['offset']} of len {end.progress['len']}",
                wanted=str(end.progress["len"]),
                found=str(end.progress["offset"]),
            )


@dataclass
class _End:
    """What is known so far of a job's way to its end."""

    statuses: list[str] = field(default_factory=list)
    outcome: str = ""
    error: JsonValue = None
    progress: JsonObject = field(default_factory=dict)

    @property
    def status(self) -> str:
        return self.statuses[-1] if self.statuses else ""

    def add(self, event: JsonObject) -> None:
        data = event["data"]
        assert isinstance(data, dict)
        if event["event"] == "JOB_STATUS_CHANGE":
            self.statuses.append(str(data["status"]))
            return
        self.progress = {key: data[key] for key in ("len", "offset")}
        self.error = data.get("error")
        failed = "failed" if self.error is not None else "completed"
        self.outcome = "cancelled" if event["event"] == "BLOCK_JOB_CANCELLED" else failed

    def result(self) -> JsonObject:
        error: JsonObject = {} if self.error is None else {"error": self.error}
        return {"outcome": self.outcome, "statuses": list(self.statuses), **error, **self.progress}


def _says(event: JsonObject, name: str, **data: str) -> bool:
    """Tell whether an event has this name and at least this data."""
    found = event.get("data")
    return event["event"] == name and isinstance(found, dict) and data.items() <= found.items()


def _past(outcome: str) -> str:
    return "was cancelled" if outcome == "cancelled" else outcome
