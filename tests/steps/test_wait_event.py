"""The verb `wait-event`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps

CREATED = """
procedures:
  launch-and-create:
    summary: Two jobs run to their end, one after the other; every event comes before anybody waits for one.
    steps:
      - launch
      - for-each: {job: [job0, job1]}
        steps:
          - qmp:
              execute: blockdev-create
              arguments: {job-id: "{{ job }}", options: {driver: file, filename: "{{ job }}.raw", size: 65536}}
          - eventually: {within: 10s}
            steps:
              - qmp: query-jobs
                expect: {$contains: {id: "{{ job }}", status: concluded}}
"""


def test_early_events_are_not_lost_and_come_in_order(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-and-create
        - wait-event: JOB_STATUS_CHANGE
          expect: {event: JOB_STATUS_CHANGE, data: {id: job0, status: created}}
        - wait-event: JOB_STATUS_CHANGE
          expect: {data: {id: job0, status: running}, timestamp: {seconds: {$gt: 0}}}
        """,
        head=CREATED,
    )
    assert run.status == 0, run.stderr


def test_match_chooses_a_later_event_and_the_earlier_ones_stay(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-and-create
        - wait-event: {name: JOB_STATUS_CHANGE, match: {data: {id: job1}}, expect: {data: {status: created}}}
        - wait-event: {name: JOB_STATUS_CHANGE, match: {data: {status: concluded}}, expect: {data: {id: job0}}}
        - for-each: {status: [created, running, waiting, pending]}
          steps:
            - wait-event: {name: JOB_STATUS_CHANGE, expect: {data: {id: job0, status: "{{ status }}"}}}
        - for-each: {status: [running, waiting, pending, concluded]}
          steps:
            - wait-event: {name: JOB_STATUS_CHANGE, expect: {data: {id: job1, status: "{{ status }}"}}}
        - assert-no-events
        """,
        head=CREATED,
    )
    assert run.status == 0, run.stderr


def test_what_is_expected_of_the_chosen_event_fails_it_and_consumes_it(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-and-create
        - wait-event: {name: JOB_STATUS_CHANGE, match: {data: {id: job1}}, expect: {data: {status: concluded}}}
        """,
        head=CREATED,
    )
    assert run.status == 1
    assert run.message.endswith(
        '(wait-event): event JOB_STATUS_CHANGE: data.status: expected "concluded" (string), found "created" (string)'
    )


def test_an_event_is_waited_for_on_its_own_vm(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - launch:
          vm: other
        - qmp: stop
          vm: other
        - wait-event: STOP
          vm: other
        - wait-event: STOP
          timeout: 200ms
    """)
    assert run.status == 1
    assert run.message == "step 5 (wait-event): timed out after 0.2 s, waiting for the event STOP"
    assert run.only.block["reason"] == "timeout"


def test_an_event_is_chosen_by_its_name(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: stop
        - qmp: cont
        - wait-event: RESUME
          expect: {event: RESUME}
        - wait-event: STOP
          expect: {event: STOP}
        - assert-no-events
    """)
    assert run.status == 0, run.stderr


def test_an_event_is_consumed_once(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: stop
        - wait-event: STOP
        - wait-event: STOP
          timeout: 200ms
    """)
    assert run.status == 1
    assert run.message.startswith("step 4 (wait-event): timed out")


def test_a_vm_that_ends_first_fails_it_at_once(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: quit
        - wait-event: {name: SHUTDOWN, expect: {data: {guest: false, reason: host-qmp-quit}}}
        - wait-event: STOP
    """)
    assert run.status == 1
    assert run.message == "step 4 (wait-event): VM 'vm' has ended (status 0)"
    assert run.only.block["reason"] == "assertion"


def test_an_event_from_before_another_is_not_chosen(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: stop
        - qmp: cont
        - wait-event: RESUME
        - wait-event: {name: STOP, after: RESUME}
          timeout: 300ms
    """)
    assert run.status == 1
    assert "waiting for the event STOP" in run.message


def test_an_event_from_after_another_is_chosen(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: stop
        - qmp: cont
        - qmp: stop
        - wait-event: {name: STOP, after: RESUME}
        - wait-event: STOP
        - wait-event: RESUME
        - assert-no-events
    """)
    assert run.status == 0, run.stdout
