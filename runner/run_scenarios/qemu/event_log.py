"""The events of one VM: those that no step has consumed, within bounds, and the jobs that they are about."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile

from run_scenarios.core.errors import StepFailed
from run_scenarios.core.nodes import JsonObject, JsonValue

Matches = Callable[[JsonObject], bool]
THROTTLED = frozenset(
    {
        "BALLOON_CHANGE",
        "BLOCK_IO_ERROR",
        "HV_BALLOON_STATUS_REPORT",
        "MEMORY_DEVICE_SIZE_CHANGE",
        "QUORUM_FAILURE",
        "QUORUM_REPORT_BAD",
        "RTC_CHANGE",
        "VSERPORT_CHANGE",
        "WATCHDOG",
    }
)
"""Events that QEMU holds back for up to `THROTTLE_S` after one of the same name. Source: QEMU's monitor/monitor.c."""
THROTTLE_S = 1.0
MAX_COPIES = 1000
MAX_EVENTS = 10_000


@dataclass
class JobRun:
    """One run of a job, from the command that started it to its end; an id can be used again for another run.

    :param numbers: the numbers of its events in the log.
    :param outcome: "completed", "failed" or "cancelled" once that is known, "" before.
    :param figures: `len` and `offset` at its end.
    """

    id: str
    statuses: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    outcome: str = ""
    error: JsonValue = None
    figures: JsonObject = field(default_factory=dict)

    @property
    def was_refused(self) -> bool:
        """Whether QEMU made it only to refuse the command that was to start it."""
        return self.statuses[:2] == ["created", "null"]

    @property
    def has_ended(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.statuses[-1:] == ["null"]

    def record(self, number: int, event: JsonObject) -> None:
        """Add an event of the job. Source: QEMU's qapi/job.json and qapi/block-core.json."""
        data = event["data"]
        assert isinstance(data, dict)
        self.numbers.append(number)
        if event["event"] == "JOB_STATUS_CHANGE":
            self.statuses.append(str(data["status"]))
            return
        self.figures = {key: data[key] for key in ("len", "offset")}
        self.error = data.get("error")
        failed = "failed" if self.error is not None else "completed"
        self.outcome = "cancelled" if event["event"] == "BLOCK_JOB_CANCELLED" else failed


class EventLog:
    """Events in the order they came, each numbered.

    Events with the same name and data are copies, whatever their timestamps. The latest `MAX_COPIES` are kept, because
    a job may repeat its error 10,000 times per second. If more than `MAX_EVENTS` different events are unconsumed, later
    ones are lost, and a step that might have needed them fails.
    """

    def __init__(self, vm: str) -> None:
        self._vm = vm
        self._unconsumed: dict[int, JsonObject] = {}
        self._copies: dict[str, deque[int]] = {}
        self._dropped: Counter[str] = Counter()
        self._lost = 0
        self._count = 0
        self._last_number: dict[str, int] = {}
        self._last_throttled_s: float | None = None
        self._job_runs: dict[str, list[JobRun]] = {}
        self._attempts: list[dict[int, JsonObject]] = []

    def append(self, event: JsonObject) -> None:
        """Add an event."""
        self._count += 1
        name = str(event["event"])
        self._keep(event)
        self._last_number[name] = self._count
        if name in THROTTLED:
            self._last_throttled_s = time.monotonic()
        job = _job_of(event)
        if job:
            self._record_job(job, event)

    @property
    def last_number(self) -> int:
        """The number of the last event."""
        return self._count

    def take(self, matches: Matches, after: str = "", examined: int = 0) -> JsonObject | None:
        """Consume and return the first event that matches, or return None.

        :param after: the name of an event of which the last must have come before; "" for no such condition.
        :param examined: the number of the last event that is known not to match.
        :raise StepFailed: if no event matches, but some were lost.
        """
        first = max(examined, self._last_number.get(after, self._count) if after else 0)
        newer = takewhile(lambda number: number > first, reversed(self._unconsumed))
        for number in reversed(list(newer)):
            if matches(self._unconsumed[number]):
                return self._consume(number)
        self._require_none_lost()
        return None

    def take_of_job(self, run: JobRun) -> JsonObject | None:
        """Consume and return the first event of a job's run, or return None.

        :raise StepFailed: if there is none, but events were lost.
        """
        number = next((number for number in run.numbers if number in self._unconsumed), None)
        if number is None:
            self._require_none_lost()
            return None
        return self._consume(number)

    def has_more_of_job(self, run: JobRun) -> bool:
        """Tell whether an event of a job's run is unconsumed."""
        return any(number in self._unconsumed for number in run.numbers)

    def unconsumed(self, matches: Matches = lambda event: True) -> list[JsonObject]:
        """Return the kept events that match, without consuming them.

        :raise StepFailed: if no event matches, but some were lost.
        """
        found = [event for event in self._unconsumed.values() if matches(event)]
        if not found:
            self._require_none_lost()
        return found

    def count(self, matches: Matches) -> int:
        """Return the number of unconsumed events that match, including copies that are not kept."""
        found = [_encode_content(event) for event in self._unconsumed.values() if matches(event)]
        return len(found) + sum(self._dropped[content] for content in set(found))

    def describe_floods(self) -> list[str]:
        """Return a line of text for each event with copies that are not kept, and for those lost."""
        kept = Counter(map(_encode_content, self._unconsumed.values()))
        lines = [
            f"VM '{self._vm}' sent {kept[content] + dropped} events {json.loads(content)[0]} with the same data that no"
            f" step consumed"
            for content, dropped in self._dropped.items()
            if kept[content]
        ]
        return [*lines, self._describe_lost()] if self._lost else lines

    def forget(self, matches: Matches) -> int:
        """Consume every event that matches, and return how many that were."""
        numbers = [number for number, event in self._unconsumed.items() if matches(event)]
        for number in numbers:
            self._consume(number)
        return len(numbers)

    def find_job_run(self, job: str) -> JobRun | None:
        """Return the run that a wait for this job means: the latest that was not refused, if that still has news.

        A command that is refused may leave a run of its own behind, next to one that goes on.
        """
        runs = self._job_runs.get(job, [])
        waiting = [run for run in runs if not run.was_refused and (not run.has_ended or self.has_more_of_job(run))]
        latest = runs[-1] if runs else None
        return waiting[-1] if latest and latest.was_refused and waiting else latest

    def add_job_run(self, job: str) -> JobRun:
        """Return a new run of a job that has sent no event yet."""
        run = JobRun(job)
        self._job_runs.setdefault(job, []).append(run)
        return run

    def throttled_for_s(self) -> float:
        """Return the seconds for which QEMU may still hold back an event of a throttled kind."""
        if self._last_throttled_s is None:
            return 0.0
        return max(0.0, self._last_throttled_s + THROTTLE_S - time.monotonic())

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo what is consumed within the block if the block fails."""
        consumed: dict[int, JsonObject] = {}
        self._attempts.append(consumed)
        try:
            yield
        except BaseException:
            self._unconsumed = dict(sorted((self._unconsumed | consumed).items()))
            raise
        finally:
            self._attempts.remove(consumed)

    def _keep(self, event: JsonObject) -> None:
        content = _encode_content(event)
        copies = self._copies.get(content, deque())
        if len(copies) == MAX_COPIES and self._unconsumed.pop(copies.popleft(), None) is not None:
            self._dropped[content] += 1
        if len(self._unconsumed) >= MAX_EVENTS:
            self._lost += 1
            return
        copies.append(self._count)
        self._copies[content] = copies
        self._unconsumed[self._count] = event

    def _require_none_lost(self) -> None:
        if self._lost:
            raise StepFailed(self._describe_lost(), hint="consume events with 'wait-event' or 'forget-events'")

    def _describe_lost(self) -> str:
        return f"VM '{self._vm}' sent more events than can be kept: {self._lost} were lost"

    def _consume(self, number: int) -> JsonObject:
        event = self._unconsumed.pop(number)
        for consumed in self._attempts:
            consumed[number] = event
        return event

    def _record_job(self, job: str, event: JsonObject) -> None:
        runs = self._job_runs.setdefault(job, [])
        data = event["data"]
        starts = event["event"] == "JOB_STATUS_CHANGE" and isinstance(data, dict) and data["status"] == "created"
        # A run that was added before its first event is the one that this event starts.
        if not runs or (starts and runs[-1].statuses):
            runs.append(JobRun(job))
        runs[-1].record(self._count, event)


def _encode_content(event: JsonObject) -> str:
    return json.dumps([event["event"], event.get("data")])


def _job_of(event: JsonObject) -> str:
    """Return the id of the job that an event tells of, "" for another event."""
    data = event.get("data")
    if not isinstance(data, dict):
        return ""
    if event["event"] == "JOB_STATUS_CHANGE":
        return str(data["id"])
    return str(data["device"]) if event["event"] in ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED") else ""
