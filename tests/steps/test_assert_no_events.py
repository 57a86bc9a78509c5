"""The verb `assert-no-events`."""

from __future__ import annotations

import re

import pytest
from run_scenarios.qemu.event_log import MAX_COPIES
from run_scenarios.steps.assert_no_events import MAX_SHOWN

from tests.qemu.test_event_log import ENDLESS_ERRORS
from tests.support.scenarios import RunSteps

STOPPED = """
procedures:
  launch-and-stop:
    steps:
      - launch
      - qmp: stop
"""


def test_an_unconsumed_event_fails_it(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-and-stop
        - qmp: cont
        - assert-no-events
        """,
        head=STOPPED,
    )
    assert run.status == 1
    assert run.message == "step 5 (assert-no-events): 2 unconsumed event(s), the first is STOP"
    assert run.only.block["wanted"] == "no event"
    assert '"event": "STOP"' in run.only.block["found"]
    assert '"event": "RESUME"' in run.only.block["details"]


def test_consumed_events_pass(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-and-stop
        - wait-event: STOP
        - assert-no-events
        """,
        head=STOPPED,
    )
    assert run.status == 0, run.stderr


def test_only_events_of_the_name_that_match_fail_it(run_steps: RunSteps) -> None:
    passing = """
        - call: launch-and-stop
        - assert-no-events: RESUME
        - assert-no-events: {name: STOP, match: {timestamp: {seconds: 0}}}
        - assert-no-events: {match: {event: RESUME}}
    """
    assert run_steps(passing, head=STOPPED).status == 0
    for argument in ("STOP", "{name: STOP}", "{match: {event: STOP}}"):
        run = run_steps(passing + f"    - assert-no-events: {argument}\n", head=STOPPED)
        assert run.message == "step 7 (assert-no-events): 1 unconsumed event(s), the first is STOP"


def test_an_event_that_qemu_holds_back_is_seen(run_steps: RunSteps) -> None:
    """Of two events of this kind within a second, QEMU sends the second one only after that second."""
    run = run_steps("""
        - for-each: {name: [a, b, c]}
          steps:
            - create-image: {file: "{{ name }}.raw", size: 64k}
        - write: {file: c.raw, patterns: [{byte: 1, at: 0, size: 64k}]}
        - launch:
            blockdev:
              - {driver: file, node-name: a, filename: a.raw}
              - {driver: file, node-name: b, filename: b.raw}
              - {driver: file, node-name: c, filename: c.raw}
              - {driver: quorum, node-name: q, vote-threshold: 2, children: [a, b, c]}
        - for-each: {at: [0, 1024]}
          steps:
            - read: {device: q, patterns: [{byte: 0, at: "{{ at }}", size: 512}]}
        - wait-event: QUORUM_REPORT_BAD
        - assert-no-events
    """)
    assert run.status == 1, run.stdout
    assert "unconsumed event(s), the first is QUORUM_REPORT_BAD" in run.message


@pytest.mark.slow
def test_of_a_flood_of_events_the_number_and_the_first_are_shown(run_steps: RunSteps) -> None:
    steps = ENDLESS_ERRORS.replace("- {wait-job: j, timeout: 2}", "- for-each: {n: %s}" % [*range(40)])
    steps += "      steps: [{image-info: {file: d.raw}}]\n    - assert-no-events: BLOCK_JOB_ERROR\n"
    run = run_steps(steps)
    assert run.status == 1
    found = re.fullmatch(r".*: (\d+) unconsumed event\(s\), the first is BLOCK_JOB_ERROR", run.message)
    assert found and int(found[1]) > MAX_COPIES
    events = [line for line in run.only.block["details"].splitlines() if line.startswith("{")]
    assert len(events) == MAX_SHOWN
