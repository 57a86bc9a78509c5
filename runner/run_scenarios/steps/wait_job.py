"""The verb `wait-job`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from run_scenarios.core.errors import StepFailed, scenario_error
from run_scenarios.core.nodes import JsonObject, JsonValue, Node, ScalarNode, make_mapping
from run_scenarios.steps.argument_types import (
    MATCHER,
    TEXT,
    document,
    enum_schema,
    expand_short_form,
    object_schema,
    parse_matcher,
    parse_text,
)
from run_scenarios.steps.mutations import Mutation, mutate_keys, replace_key, replace_text
from run_scenarios.steps.verb import Context, Verb, require_vm
from run_scenarios.syntax.matchers import describe_value, require_match

if TYPE_CHECKING:
    from run_scenarios.qemu.machine import Machine

OUTCOMES = ("completed", "failed", "cancelled")
STATUSES = ("ready", "paused", "standby", "waiting", "pending", "concluded", "null")
END_EVENTS = ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED")


def _mutate_outcome(verb: str, argument: Node) -> Iterator[Mutation]:
    """Expect another outcome, if one is written or the job is followed to its end; `until` alone asserts none."""
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
    """Follow a job to its end and check how it ends; by default it must complete, with `offset` equal to `len`.

    Consumes the job's `JOB_STATUS_CHANGE` events up to `null`, and its `BLOCK_JOB_COMPLETED` or `BLOCK_JOB_CANCELLED`.
    Fails at once if the job ends too early or with another outcome, is stopped by an I/O error, or does not exist.
    `outcome: failed` needs the expected `error`.

    `until` stops at an earlier status: `concluded` for a job with `auto-dismiss: false`; `ready`, `paused` or `pending`
    for a job that then waits for a command. QEMU also pauses jobs briefly while it drains a node, so wait for
    `BLOCK_JOB_ERROR` instead if an error is to pause the job.

    .. code-block:: yaml

        - wait-job: drive0
        - wait-job: {id: drive0, outcome: cancelled}
        - wait-job: {id: drive1, outcome: failed, error: Input/output error}
        - wait-job: {id: mirror0, until: ready}
    """

    NAME = "wait-job"
    MUTATORS = (_mutate_outcome, mutate_keys("error"))
    OPENS_FILES = False
    RESULT = "`{outcome, statuses, error?, len?, offset?}`"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            TEXT,
            object_schema(
                ["id"],
                id=document(TEXT, "id of the job; without `job-id`, QEMU uses the id of the device"),
                outcome=document(enum_schema(*OUTCOMES), "required outcome; `completed` by default"),
                error=document(MATCHER, "expected error of a job that must fail"),
                until=document(enum_schema(*STATUSES), "status to wait for; `null` by default"),
            ),
        ]
    }

    id: str
    outcome: str
    error: Node | None
    until: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        whole = expand_short_form(argument, "id")
        outcome, error = parse_text(whole.get("outcome"), "completed"), parse_matcher(whole.get("error"))
        if outcome == "failed" and error is None:
            raise scenario_error(
                argument.span, "'outcome: failed' needs 'error'", "for example 'error: Input/output error'"
            )
        if error is not None and outcome != "failed":
            raise scenario_error(error.span, "'error' requires 'outcome: failed'")
        return cls(parse_text(whole.get("id")), outcome, error, parse_text(whole.get("until"), "null"))

    async def run(self, context: Context) -> JsonValue:
        machine = require_vm(context)
        await self._require_job(machine)
        progress = _Progress()
        while progress.status != self.until:
            aim = "to end" if self.until == "null" else f"to become {self.until}"
            context.describe_wait(f"job '{self.id}' {aim} (last seen: {progress.status or 'nothing'})")
            progress.add(await machine.event_wait(self._is_about_job))
            if progress.statuses == ["null"] and machine.events.unconsumed(self._is_job_created):
                progress = _Progress()  # an earlier job of this id, dismissed after 'until: concluded'
            self._check_outcome(progress)
            await self._check_progress(machine, progress)
        if self.until == "concluded" and not progress.outcome:
            await self._query_outcome(machine, progress)
            self._check_outcome(progress)
        elif self.until == "null" and not progress.outcome:
            self._infer_outcome(progress)
        return progress.result()

    def _infer_outcome(self, progress: _Progress) -> None:
        """Infer the outcome of a job without an end event from its statuses; after `until: concluded` it is known."""
        if progress.statuses == ["null"]:
            return
        if "concluded" not in progress.statuses:
            raise StepFailed(
                f"job '{self.id}' never ran: QEMU created it for a command that then failed",
                wanted=self.outcome,
                found=", ".join(progress.statuses),
                hint="consume the events of such a job with 'wait-event'",
            )
        progress.outcome = "failed" if "aborting" in progress.statuses else "completed"
        self._check_outcome(progress)

    def _is_about_job(self, event: JsonObject) -> bool:
        data = event.get("data")
        if not isinstance(data, dict):
            return False
        if event["event"] == "JOB_STATUS_CHANGE":
            return data["id"] == self.id
        return event["event"] in END_EVENTS and data["device"] == self.id

    def _is_job_created(self, event: JsonObject) -> bool:
        return _has_data(event, "JOB_STATUS_CHANGE", id=self.id, status="created")

    async def _require_job(self, machine: Machine) -> None:
        if machine.events.unconsumed(self._is_about_job):
            return
        jobs = [job["id"] for job in await machine.query("query-jobs")]
        if self.id not in jobs and not machine.events.unconsumed(self._is_about_job):
            raise StepFailed(
                f"there is no job '{self.id}', and no such job has ended", hint=f"jobs: {', '.join(jobs) or 'none'}"
            )

    async def _check_progress(self, machine: Machine, progress: _Progress) -> None:
        """Fail at once if the awaited status can no longer be reached: stopped by an error, not dismissed, or ended."""
        if progress.status == self.until:
            return
        if progress.status == "paused":
            self._check_not_stopped(machine)
        elif progress.status == "concluded" and self.until == "null":
            await self._check_not_awaiting_dismissal(machine)
        elif progress.status in ("concluded", "null"):
            raise StepFailed(
                f"job '{self.id}' ended without being {self.until}",
                wanted=self.until,
                found=", ".join(progress.statuses),
            )

    def _check_not_stopped(self, machine: Machine) -> None:
        stops = machine.events.unconsumed(self._is_stopping_error)
        if stops:
            raise StepFailed(
                f"job '{self.id}' was stopped by an I/O error", wanted=self.outcome, found=describe_value(stops[0])
            )

    async def _check_not_awaiting_dismissal(self, machine: Machine) -> None:
        if machine.events.unconsumed(self._is_about_job):
            return
        jobs = {job["id"]: job for job in await machine.query("query-jobs")}
        if self.id in jobs and not machine.events.unconsumed(self._is_about_job):
            error = jobs[self.id].get("error")
            reason = f" with '{error}'" if error else ""
            raise StepFailed(
                f"job '{self.id}' has concluded{reason} and waits for 'job-dismiss'",
                hint="wait with 'until: concluded'",
            )

    def _is_stopping_error(self, event: JsonObject) -> bool:
        return _has_data(event, "BLOCK_JOB_ERROR", device=self.id, action="stop")

    async def _query_outcome(self, machine: Machine, progress: _Progress) -> None:
        """Query the outcome of a concluded job: only block jobs send `BLOCK_JOB_COMPLETED`."""
        jobs: dict[str, JsonObject] = {job["id"]: job for job in await machine.query("query-jobs")}
        job = jobs.get(self.id, {})
        progress.error = job.get("error")
        aborted = "aborting" in progress.statuses
        progress.outcome = "failed" if progress.error else "cancelled" if aborted else "completed"

    def _check_outcome(self, progress: _Progress) -> None:
        if not progress.outcome:
            return
        if progress.outcome != self.outcome:
            reason = f" with '{progress.error}'" if progress.error else ""
            wanted = f"expected it to be {self.outcome}" if self.outcome != "completed" else "expected it to complete"
            raise StepFailed(
                f"job '{self.id}' {_describe_outcome(progress.outcome)}{reason}; {wanted}",
                wanted=self.outcome,
                found=f"{progress.outcome}{reason}",
                details=(describe_value(progress.result()),),
            )
        if self.error is not None:
            require_match(self.error, progress.error, f"job '{self.id}' failed with another error")
        if progress.outcome == "completed" and progress.figures.get("offset") != progress.figures.get("len"):
            raise StepFailed(
                f"job '{self.id}' completed with offset {progress.figures['offset']} of len {progress.figures['len']}",
                wanted=str(progress.figures["len"]),
                found=str(progress.figures["offset"]),
            )


@dataclass
class _Progress:
    """The statuses, outcome and figures of a job, from its events so far."""

    statuses: list[str] = field(default_factory=list)
    outcome: str = ""
    error: JsonValue = None
    figures: JsonObject = field(default_factory=dict)

    @property
    def status(self) -> str:
        return self.statuses[-1] if self.statuses else ""

    def add(self, event: JsonObject) -> None:
        data = event["data"]
        assert isinstance(data, dict)
        if event["event"] == "JOB_STATUS_CHANGE":
            self.statuses.append(str(data["status"]))
            return
        self.figures = {key: data[key] for key in ("len", "offset")}
        self.error = data.get("error")
        failed = "failed" if self.error is not None else "completed"
        self.outcome = "cancelled" if event["event"] == "BLOCK_JOB_CANCELLED" else failed

    def result(self) -> JsonObject:
        error: JsonObject = {} if self.error is None else {"error": self.error}
        return {"outcome": self.outcome, "statuses": list(self.statuses), **error, **self.figures}


def _has_data(event: JsonObject, name: str, **data: str) -> bool:
    """Return whether an event has this name and at least this data."""
    found = event.get("data")
    return event["event"] == name and isinstance(found, dict) and data.items() <= found.items()


def _describe_outcome(outcome: str) -> str:
    return "was cancelled" if outcome == "cancelled" else outcome
