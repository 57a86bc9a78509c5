"""The verb `forget-events`."""

from __future__ import annotations

import pytest

from tests.support.scenarios import RunSteps

STOPPED_AND_RESUMED = """
        - launch
        - qmp: stop
        - qmp: cont
"""


@pytest.mark.parametrize("argument", ["forget-events", "forget-events: STOP", "forget-events: {match: {event: STOP}}"])
def test_an_event_that_was_forgotten_is_not_found(run_steps: RunSteps, argument: str) -> None:
    run = run_steps(f"""{STOPPED_AND_RESUMED}
        - {argument}
        - wait-event: STOP
          timeout: 300ms
    """)
    assert run.status == 1
    assert "timed out after 0.3 s, waiting for the event STOP" in run.message


@pytest.mark.parametrize("argument", ["forget-events: STOP", "forget-events: {match: {event: STOP}}"])
def test_other_events_stay(run_steps: RunSteps, argument: str) -> None:
    run = run_steps(f"""{STOPPED_AND_RESUMED}
        - {argument}
        - wait-event: RESUME
        - assert-no-events
    """)
    assert run.status == 0, run.stdout


def test_its_result_is_how_many_were_forgotten(run_steps: RunSteps) -> None:
    run = run_steps(f"""{STOPPED_AND_RESUMED}
        - forget-events:
          expect: 2
        - forget-events:
          expect: 0
    """)
    assert run.status == 0, run.stdout
