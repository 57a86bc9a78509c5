"""The verb `wait-job`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from run_scenarios.content.disks import Disks
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
    from run_scenarios.qemu.event_log import JobRun
    from run_scenarios.qemu.machine import Machine

EXPECTED = {"completed": "complete", "failed": "fail", "cancelled": "be cancelled"}
STATUSES = ("ready", "paused", "standby", "waiting", "pending", "concluded", "null")


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
    `outcome: failed` needs the expected `error`. If an id was used for several jobs, the step waits for the latest one.
    An end that an earlier step has seen can be waited for again, and must be the same.

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
                outcome=document(enum_schema(*EXPECTED), "required outcome; `completed` by default"),
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
        run = await self._find_run(machine)
        seen: list[str] = []
        while seen[-1:] != [self.until] and not self._was_seen_before(machine, run):
            aim = "to end" if self.until == "null" else f"to become {self.until}"
            context.describe_wait(f"job '{self.id}' {aim} (last seen: {seen[-1] if seen else 'nothing'})")
            event = await machine.job_event_wait(run)
            if event["event"] == "JOB_STATUS_CHANGE":
                seen.append(_get_status(event))
            else:
                self._check_outcome(run)
            if seen[-1:] != [self.until]:
                await self._check_progress(machine, run, seen)
        await self._determine_outcome(machine, run)
        self._check_outcome(run)
        return _make_result(run, seen or run.statuses)

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        if succeeded and self.until in ("concluded", "null"):
            disks.end_job(vm, self.id, completed=self.outcome == "completed")

    def _was_seen_before(self, machine: Machine, run: JobRun) -> bool:
        """Return whether an earlier step has consumed the awaited end; its outcome must be the same again."""
        reached = self.until in run.statuses and self.until in ("concluded", "null")
        return reached and not machine.events.has_more_of_job(run)

    async def _find_run(self, machine: Machine) -> JobRun:
        """Return the latest run of the job.

        :raise StepFailed: if there is no such job and never was.
        """
        run = machine.events.find_job_run(self.id)
        if run:
            return run
        jobs = [job["id"] for job in await machine.query("query-jobs")]
        run = machine.events.find_job_run(self.id)
        if run or self.id in jobs:
            return run or machine.events.add_job_run(self.id)
        raise StepFailed(
            f"there is no job '{self.id}', and no such job has ended", hint=f"jobs: {', '.join(jobs) or 'none'}"
        )

    async def _determine_outcome(self, machine: Machine, run: JobRun) -> None:
        """Determine the outcome of a job without an end event: only block jobs send `BLOCK_JOB_COMPLETED`."""
        if run.outcome or self.until not in ("concluded", "null"):
            return
        if not run.has_ended:
            await self._query_outcome(machine, run)
        elif "concluded" in run.statuses:
            run.outcome = "failed" if "aborting" in run.statuses else "completed"
        else:
            raise StepFailed(
                f"job '{self.id}' never ran: QEMU created it for a command that then failed",
                wanted=self.outcome,
                found=", ".join(run.statuses),
                hint="consume the events of such a job with 'wait-event'",
            )

    async def _query_outcome(self, machine: Machine, run: JobRun) -> None:
        jobs: dict[str, JsonObject] = {job["id"]: job for job in await machine.query("query-jobs")}
        run.error = jobs.get(self.id, {}).get("error")
        aborted = "aborting" in run.statuses
        run.outcome = "failed" if run.error else "cancelled" if aborted else "completed"

    async def _check_progress(self, machine: Machine, run: JobRun, seen: list[str]) -> None:
        """Fail at once if the awaited status can no longer be reached: stopped by an error, not dismissed, or ended."""
        status = seen[-1] if seen else ""
        if status == "paused":
            self._check_not_stopped(machine)
        elif status == "concluded" and self.until == "null":
            await self._check_not_awaiting_dismissal(machine, run)
        elif status in ("concluded", "null"):
            raise StepFailed(
                f"job '{self.id}' ended without being {self.until}",
                wanted=self.until,
                found=", ".join(seen),
                path="status",
                difference={"expected": self.until, "found": status},
            )

    def _check_not_stopped(self, machine: Machine) -> None:
        stops = machine.events.unconsumed(self._is_stopping_error)
        if stops:
            raise StepFailed(
                f"job '{self.id}' was stopped by an I/O error", wanted=self.outcome, found=describe_value(stops[0])
            )

    async def _check_not_awaiting_dismissal(self, machine: Machine, run: JobRun) -> None:
        if machine.events.has_more_of_job(run):
            return
        jobs = {job["id"]: job for job in await machine.query("query-jobs")}
        if self.id in jobs and not machine.events.has_more_of_job(run):
            error = jobs[self.id].get("error")
            reason = f" with '{error}'" if error else ""
            raise StepFailed(
                f"job '{self.id}' has concluded{reason} and waits for 'job-dismiss'",
                hint="wait with 'until: concluded'",
            )

    def _is_stopping_error(self, event: JsonObject) -> bool:
        return _has_data(event, "BLOCK_JOB_ERROR", device=self.id, action="stop")

    def _check_outcome(self, run: JobRun) -> None:
        if not run.outcome:
            return
        if run.outcome != self.outcome:
            reason = f" with '{run.error}'" if run.error else ""
            raise StepFailed(
                f"job '{self.id}' {_describe_outcome(run.outcome)}{reason}; expected it to {EXPECTED[self.outcome]}",
                wanted=self.outcome,
                found=f"{run.outcome}{reason}",
                path="outcome",
                difference={"expected": self.outcome, "found": run.outcome},
                details=(describe_value(_make_result(run, run.statuses)),),
            )
        if self.error is not None:
            require_match(self.error, run.error, f"job '{self.id}' failed with another error")
        if run.outcome == "completed" and run.figures.get("offset") != run.figures.get("len"):
            raise StepFailed(
                f"job '{self.id}' completed with offset {run.figures['offset']} of len {run.figures['len']}",
                wanted=str(run.figures["len"]),
                found=str(run.figures["offset"]),
                path="offset",
                difference={"expected": run.figures["len"], "found": run.figures["offset"]},
            )


def _make_result(run: JobRun, statuses: list[str]) -> JsonObject:
    error: JsonObject = {} if run.error is None else {"error": run.error}
    return {"outcome": run.outcome, "statuses": list(statuses), **error, **run.figures}


def _get_status(event: JsonObject) -> str:
    data = event["data"]
    assert isinstance(data, dict)
    return str(data["status"])


def _has_data(event: JsonObject, name: str, **data: str) -> bool:
    """Return whether an event has this name and at least this data."""
    found = event.get("data")
    return event["event"] == name and isinstance(found, dict) and data.items() <= found.items()


def _describe_outcome(outcome: str) -> str:
    return "was cancelled" if outcome == "cancelled" else outcome
