"""Unconsumed events are kept within bounds, and none is missed silently."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_scenarios.core.errors import StepFailed
from run_scenarios.core.nodes import JsonObject
from run_scenarios.qemu.event_log import MAX_COPIES, MAX_EVENTS, EventLog

from tests.support.scenarios import RunSteps, trace_of

ENDLESS_ERRORS = """
    - create-image: {file: d.raw, size: 1M}
    - create-image: {file: t.raw, size: 1M}
    - write: {file: d.raw, patterns: [{byte: 1, at: 0, size: 1M}]}
    - launch:
        blockdev:
          - driver: raw
            node-name: s
            file:
              driver: blkdebug
              image: {driver: file, filename: d.raw}
              inject-error: [{event: none, iotype: read, errno: 5, once: false}]
          - {driver: raw, node-name: t, file: {driver: file, filename: t.raw}}
    - qmp:
        execute: blockdev-backup
        arguments: {job-id: j, device: s, target: t, sync: full, on-source-error: ignore}
    - {wait-job: j, timeout: 2}
"""


def make_event(name: str, second: int, **data: str) -> JsonObject:
    """Return an event as QEMU sends it."""
    return {"timestamp": {"seconds": second, "microseconds": 0}, "event": name, "data": {**data}}


def is_error(event: JsonObject) -> bool:
    """Match the events that a job repeats."""
    return event["event"] == "BLOCK_JOB_ERROR"


def test_the_latest_copies_are_kept_and_all_are_counted() -> None:
    log, sent = EventLog("vm"), 3 * MAX_COPIES
    log.append(make_event("STOP", 0))
    for number in range(sent):
        log.append(make_event("BLOCK_JOB_ERROR", number, device="j"))
    assert [event["event"] for event in log.unconsumed()] == ["STOP", *["BLOCK_JOB_ERROR"] * MAX_COPIES]
    assert (log.count(is_error), log.count(lambda event: True)) == (sent, sent + 1)
    text = f"VM 'vm' sent {sent} events BLOCK_JOB_ERROR with the same data that no step consumed"
    assert log.describe_floods() == [text]
    for number in range(sent - MAX_COPIES, sent):
        assert log.take(is_error) == make_event("BLOCK_JOB_ERROR", number, device="j")
    assert log.take(is_error) is None
    assert (log.count(is_error), log.describe_floods()) == (0, [])


def test_a_copy_after_another_event_is_found() -> None:
    log = EventLog("vm")
    for number in range(2 * MAX_COPIES):
        log.append(make_event("BLOCK_JOB_ERROR", number, device="j"))
    log.append(make_event("STOP", 0))
    assert log.take(is_error, after="STOP") is None
    log.append(make_event("BLOCK_JOB_ERROR", 1, device="j"))
    assert log.take(is_error, after="STOP") == make_event("BLOCK_JOB_ERROR", 1, device="j")
    assert log.take(is_error, after="STOP") is None


def test_events_with_other_data_are_no_copies() -> None:
    log = EventLog("vm")
    for number in range(2 * MAX_COPIES):
        log.append(make_event("BLOCK_JOB_ERROR", 0, device=f"j{number}"))
    assert len(log.unconsumed()) == 2 * MAX_COPIES


def test_a_lost_event_fails_the_step_that_might_have_needed_it() -> None:
    log = EventLog("vm")
    log.append(make_event("STOP", 0))
    for number in range(MAX_EVENTS + 4):
        log.append(make_event("BLOCK_JOB_ERROR", 0, device=f"{number}"))
    assert len(log.unconsumed()) == MAX_EVENTS
    message = "VM 'vm' sent more events than can be kept: 5 were lost"
    for look in (log.take, log.unconsumed):
        with pytest.raises(StepFailed, match=message):
            look(lambda event: event["event"] == "RESUME")
    with pytest.raises(StepFailed, match=message):
        log.take_of_job(log.add_job_run("j"))
    assert log.describe_floods() == [message]
    assert log.take(lambda event: event["event"] == "STOP")


def test_only_events_after_the_last_examined_one_are_examined() -> None:
    log, seen = EventLog("vm"), list[JsonObject]()
    for number in range(3):
        log.append(make_event("STOP", number))

    def look(event: JsonObject) -> bool:
        seen.append(event)
        return False

    assert log.take(look, examined=1) is None
    assert seen == [make_event("STOP", 1), make_event("STOP", 2)]
    assert log.last_number == 3


@pytest.mark.slow
def test_a_job_that_repeats_its_error_forever_is_reported_with_counts(run_steps: RunSteps, tmp_path: Path) -> None:
    run = run_steps(ENDLESS_ERRORS, "--artifacts", str(tmp_path / "kept"))
    assert run.status == 1
    assert run.message.startswith("step 6 (wait-job): timed out after 2 s")
    assert "VM 'vm' sent " in run.only.block["details"]
    log = run.only.block["log"].splitlines()
    assert sum("BLOCK_JOB_ERROR" in line for line in log) <= 2
    assert log[-1].endswith(" times)")
    records = trace_of(tmp_path / "kept")
    repeated = [each["data"] for each in records if each["kind"] == "repeated"]
    assert len(records) < 1000 < sum(each["times"] for each in repeated)
    assert {each["event"] for each in repeated} == {"BLOCK_JOB_ERROR"}
