"""The verb `wait-job`."""

from __future__ import annotations

import pytest

from tests.support.scenarios import RunSteps

HEAD = """
procedures:
  launch-with-drive:
    steps:
      - create-image: {file: a.qcow2, size: 16M}
      - write: {file: a.qcow2, patterns: [{byte: 0x41, at: 0, size: 16M}]}
      - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2}]}
  start-slow-backup:
    summary: A job that is throttled until it is told otherwise.
    steps:
      - call: launch-with-drive
      - qmp:
          execute: drive-backup
          arguments: {job-id: job0, device: drive0, sync: full, format: qcow2, target: b.qcow2, speed: 65536}
  start-mirror:
    steps:
      - call: launch-with-drive
      - qmp:
          execute: drive-mirror
          arguments: {job-id: job0, device: drive0, sync: full, format: qcow2, target: b.qcow2}
  start-failing-backup:
    summary: A backup whose first read fails.
    parameters:
      policy: {type: string, default: report}
      dismiss: {type: boolean, default: true}
    steps:
      - create-image: {file: a.raw, size: 1M}
      - write: {file: a.raw, patterns: [{byte: 0x41, at: 0, size: 1M}]}
      - launch:
          blockdev:
            - driver: blkdebug
              node-name: bad
              image: {driver: file, filename: a.raw}
              inject-error: [{event: none, iotype: read, errno: 5, once: true}]
      - create-image: {file: b.qcow2, size: 1M}
      - qmp:
          execute: blockdev-add
          arguments: {driver: qcow2, node-name: target, file: {driver: file, filename: b.qcow2}}
      - qmp:
          execute: blockdev-backup
          arguments:
            job-id: job0
            device: bad
            sync: full
            target: target
            on-source-error: "{{ policy }}"
            auto-dismiss: "{{ dismiss }}"
  create:
    summary: A job that is no block job, and must be dismissed.
    parameters: {size: integer}
    steps:
      - launch
      - qmp:
          execute: blockdev-create
          arguments: {job-id: job0, options: {driver: file, filename: b.raw, size: "{{ size }}"}}
"""
LAST = "(wait-job): job 'job0' "
CREATED_TO_CONCLUDED = "[created, running, waiting, pending, concluded]"


def test_a_job_completes_and_leaves_nothing_of_itself(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-slow-backup
        - qmp: {execute: block-job-set-speed, arguments: {device: job0, speed: 0}}
        - wait-job: job0
          expect:
            outcome: completed
            statuses: {$contains: "null"}
            len: 16777216
            offset: 16777216
        - assert-no-jobs
        - assert-no-events
        - shutdown
        - compare: [a.qcow2, b.qcow2]
        """,
        head=HEAD,
    )
    assert run.status == 0, run.stderr


def test_a_job_that_does_not_exist_fails_it_at_once(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-slow-backup
        - wait-job: job1
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.endswith("(wait-job): there is no job 'job1', and no such job has ended")
    assert run.only.block["hint"] == "jobs: job0"
    assert run.only.block["duration_ms"] < 10_000


def test_an_end_that_was_seen_can_be_waited_for_again(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-failing-backup
        - wait-job: {id: job0, outcome: failed, error: Input/output error}
        - wait-job: {id: job0, outcome: failed, error: Input/output error}
        """,
        head=HEAD,
    )
    assert run.status == 0, run.stdout


def test_an_end_that_was_seen_must_be_the_same_again(run_steps: RunSteps) -> None:
    for again, said in (
        ("job0", "failed with 'Input/output error'; expected it to complete"),
        ("{id: job0, outcome: cancelled}", "failed with 'Input/output error'; expected it to be cancelled"),
        ("{id: job0, outcome: failed, error: No space left on device}", "job 'job0' failed with another error"),
    ):
        run = run_steps(
            f"""
            - call: start-failing-backup
            - wait-job: {{id: job0, outcome: failed, error: Input/output error}}
            - wait-job: {again}
            """,
            head=HEAD,
        )
        assert run.status == 1
        assert said in run.message


@pytest.mark.parametrize(("outcome", "passes"), [("completed", True), ("failed", False), ("cancelled", False)])
def test_a_job_that_was_dismissed_keeps_its_outcome(run_steps: RunSteps, outcome: str, passes: bool) -> None:
    error = ", error: No space left on device" if outcome == "failed" else ""
    run = run_steps(f"""
        - launch: {{blockdev: [{{driver: null-co, node-name: a}}, {{driver: null-co, node-name: b}}]}}
        - qmp:
            execute: blockdev-backup
            arguments: {{job-id: job0, device: a, target: b, sync: full, auto-dismiss: false}}
        - wait-job: {{id: job0, until: concluded}}
        - qmp: {{execute: job-dismiss, arguments: {{id: job0}}}}
        - wait-job: {{id: job0, outcome: {outcome}{error}}}
    """)
    assert (run.status == 0) is passes, run.stdout


TWO_RUNS = """
procedures:
  run-twice:
    summary: The first job of the id ends before anything waits for it; the second is slow.
    parameters: {speed: integer}
    steps:
      - create-image: {file: a.raw, size: 8M}
      - write: {file: a.raw, patterns: [{byte: 1, at: 0, size: 8M}]}
      - create-image: {file: b.raw, size: 8M}
      - launch:
          blockdev: [{driver: file, node-name: a, filename: a.raw}, {driver: file, node-name: b, filename: b.raw}]
      - qmp: {execute: blockdev-backup, arguments: {job-id: job0, device: a, target: b, sync: full}}
      - eventually: {within: 10s}
        steps:
          - assert-no-jobs
      - qmp:
          execute: blockdev-backup
          arguments: {job-id: job0, device: a, target: b, sync: full, speed: "{{ speed }}"}
"""


def test_of_two_jobs_with_one_id_it_waits_for_the_later(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: run-twice
          with: {speed: 16777216}
        - wait-job: job0
        - qmp: query-block-jobs
          expect: []
        """,
        head=TWO_RUNS,
    )
    assert run.status == 0, run.stdout


def test_the_end_of_an_earlier_job_with_the_id_does_not_count(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: run-twice
          with: {speed: 1}
        - wait-job: job0
          timeout: 1s
        """,
        head=TWO_RUNS,
    )
    assert run.status == 1
    assert "timed out after 1 s, waiting for job 'job0' to end" in run.message


def test_a_failing_job_fails_it_with_its_error(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-failing-backup
        - wait-job: job0
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.endswith(LAST + "failed with 'Input/output error'; expected it to complete")
    assert (run.only.block["wanted"], run.only.block["found"]) == ("completed", "failed with 'Input/output error'")


def test_a_job_that_fails_as_expected_passes(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-failing-backup
        - wait-job: {id: job0, outcome: failed, error: {$regex: "^Input/output"}}
          expect: {outcome: failed, error: Input/output error}
        - wait-event: {name: BLOCK_JOB_ERROR, expect: {data: {device: job0, action: report}}}
        - assert-no-events
        """,
        head=HEAD,
    )
    assert run.status == 0, run.stderr


def test_another_error_than_expected_fails_it(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-failing-backup
        - wait-job: {id: job0, outcome: failed, error: No space left on device}
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.endswith(
        LAST + 'failed with another error: expected "No space left on device" (string), '
        'found "Input/output error" (string)'
    )


def test_a_cancelled_job_fails_it_unless_that_is_expected(run_steps: RunSteps) -> None:
    steps = """
        - call: start-slow-backup
        - qmp: {execute: block-job-cancel, arguments: {device: job0}}
        - wait-job: ARGUMENT
        - assert-no-events
    """
    assert run_steps(steps.replace("ARGUMENT", "{id: job0, outcome: cancelled}"), head=HEAD).status == 0
    run = run_steps(steps.replace("ARGUMENT", "job0"), head=HEAD)
    assert run.status == 1
    assert run.message.endswith(LAST + "was cancelled; expected it to complete")
    assert (run.only.block["wanted"], run.only.block["found"]) == ("completed", "cancelled")


def test_a_job_that_completes_fails_it_where_an_error_is_expected(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-slow-backup
        - qmp: {execute: block-job-set-speed, arguments: {device: job0, speed: 0}}
        - wait-job: {id: job0, outcome: failed, error: {$any: true}}
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.endswith(LAST + "completed; expected it to fail")


def test_a_job_that_an_error_stopped_fails_it_at_once(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-failing-backup
          with: {policy: stop}
        - wait-job: job0
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.endswith(LAST + "was stopped by an I/O error")
    assert '"action": "stop"' in run.only.block["found"]


def test_a_job_that_an_error_stopped_is_waited_for_resumed_and_completes(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-failing-backup
          with: {policy: stop}
        - wait-event: {name: BLOCK_JOB_ERROR, expect: {data: {action: stop}}}
          timeout: 10s
        - qmp: {execute: block-job-resume, arguments: {device: job0}}
        - wait-job: job0
          expect: {statuses: {$contains: paused}, offset: 1048576}
        - assert-no-events
        - shutdown
        - compare: [a.raw, b.qcow2]
        """,
        head=HEAD,
    )
    assert run.status == 0, run.stderr


def test_a_job_is_followed_until_it_is_paused(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-slow-backup
        - qmp: {execute: block-job-pause, arguments: {device: job0}}
        - wait-job: {id: job0, until: paused}
          save: followed
        - assert: "{{ followed.statuses | last == 'paused' }}"
        - qmp: query-jobs
          expect: [{id: job0}]
        """,
        head=HEAD,
    )
    assert run.status == 0, run.stderr


def test_a_mirror_is_ready_and_then_completed(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-mirror
        - wait-job: {id: job0, until: ready}
          expect: {statuses: [created, running, ready]}
        - wait-event: BLOCK_JOB_READY
        - qmp: {execute: block-job-complete, arguments: {device: job0}}
        - wait-job: job0
          expect: {statuses: [waiting, pending, concluded, "null"]}
        - assert-no-events
        """,
        head=HEAD,
    )
    assert run.status == 0, run.stderr


@pytest.mark.parametrize("until", ["ready", "paused", "standby"])
def test_a_job_that_ends_before_it_is_ready_fails_it_at_once(run_steps: RunSteps, until: str) -> None:
    run = run_steps(
        f"""
        - call: create
          with: {{size: 65536}}
        - wait-job: {{id: job0, until: {until}}}
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.endswith(LAST + f"ended without being {until}")
    assert run.only.block["found"] == CREATED_TO_CONCLUDED.strip("[]")


def test_a_job_that_is_no_block_job_concludes_and_is_dismissed(run_steps: RunSteps) -> None:
    run = run_steps(
        f"""
        - call: create
          with: {{size: 65536}}
        - wait-job: {{id: job0, until: concluded}}
          expect: {{outcome: completed, statuses: {CREATED_TO_CONCLUDED}}}
        - qmp: {{execute: job-dismiss, arguments: {{id: job0}}}}
        - wait-job: job0
          expect: {{statuses: ["null"]}}
        - assert-no-events
        - image-info: b.raw
          expect: {{virtual-size: 65536}}
        """,
        head=HEAD,
    )
    assert run.status == 0, run.stderr


def test_a_job_that_is_no_block_job_fails_it_with_its_error(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: create
          with: {size: 9223372036854775296}
        - wait-job: {id: job0, until: concluded}
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.endswith(LAST + "failed with 'Could not resize file: File too large'; expected it to complete")


def test_a_job_that_is_not_dismissed_fails_it_at_once(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: create
          with: {size: 65536}
        - wait-job: job0
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.endswith(LAST + "has concluded and waits for 'job-dismiss'")
    assert run.only.block["hint"] == "wait with 'until: concluded'"


def test_a_failed_job_that_is_not_dismissed_fails_it_with_its_error(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: create
          with: {size: 9223372036854775296}
        - wait-job: job0
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.endswith(
        LAST + "has concluded with 'Could not resize file: File too large' and waits for 'job-dismiss'"
    )


def test_a_block_job_that_is_not_dismissed_concludes(run_steps: RunSteps) -> None:
    steps = """
        - call: start-failing-backup
          with: {policy: ignore, dismiss: false}
        - wait-job: ARGUMENT
        - qmp: query-jobs
          expect: [{id: job0, status: concluded}]
    """
    assert run_steps(steps.replace("ARGUMENT", "{id: job0, until: concluded}"), head=HEAD).status == 0
    run = run_steps(steps.replace("ARGUMENT", "job0"), head=HEAD)
    assert run.status == 1
    assert run.message.endswith(LAST + "has concluded and waits for 'job-dismiss'")


def test_what_it_waits_for_is_said_when_it_takes_too_long(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-slow-backup
        - wait-job: job0
          timeout: 300ms
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.endswith("timed out after 0.3 s, waiting for job 'job0' to end (last seen: running)")


def test_a_failure_needs_its_error_and_an_error_a_failure(run_steps: RunSteps) -> None:
    run = run_steps("""
        - wait-job: {id: job0, outcome: failed}
        - wait-job: {id: job0, error: Input/output error}
    """)
    assert run.status == 2
    assert "case.yaml:4:15: error: 'outcome: failed' needs 'error'" in run.stderr
    assert "error: 'error' requires 'outcome: failed'" in run.stderr


def test_what_a_dismissed_job_left_is_not_taken_for_the_next_of_its_id(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: source.qcow2, size: 1M}
        - write: {file: source.qcow2, patterns: [{byte: 1, at: 0, size: 1M}]}
        - create-image: {file: target.qcow2, size: 1M}
        - launch
        - qmp: {execute: blockdev-create, arguments: {job-id: j, options: {driver: file, filename: f.raw, size: 0}}}
        - wait-job: {id: j, until: concluded}
        - qmp: {execute: job-dismiss, arguments: {id: j}}
        - qmp:
            execute: blockdev-add
            arguments:
              node-name: source
              driver: qcow2
              file:
                driver: blkdebug
                image: {driver: file, filename: source.qcow2}
                inject-error: [{event: read_aio, errno: 5}]
        - qmp:
            execute: blockdev-add
            arguments: {node-name: target, driver: qcow2, file: {driver: file, filename: target.qcow2}}
        - qmp: {execute: blockdev-backup, arguments: {job-id: j, device: source, target: target, sync: full}}
        - wait-job: j
    """)
    assert run.status == 1
    assert "job 'j' failed with 'Input/output error'" in run.message


def test_an_id_may_be_used_again_after_a_dismissal(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - for-each: {n: [0, 1]}
          steps:
            - qmp:
                execute: blockdev-create
                arguments: {job-id: j, options: {driver: file, filename: "f{{ n }}.raw", size: 0}}
            - wait-job: {id: j, until: concluded}
            - qmp: {execute: job-dismiss, arguments: {id: j}}
    """)
    assert run.status == 0, run.stderr


def test_a_job_that_was_refused_has_not_completed(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch:
            blockdev:
              - {driver: null-co, node-name: target, size: 1048576}
              - {driver: blkdebug, node-name: source, image: {driver: null-co, node-name: base, size: 1048576}}
        - qmp:
            execute: blockdev-add
            arguments: {driver: blkdebug, node-name: other, image: base, take-child-perms: [write]}
        - qmp:
            execute: blockdev-backup
            arguments: {job-id: backup0, device: source, target: target, sync: full}
          error: {class: GenericError, desc: {$contains: Permission conflict}}
        - wait-job: backup0
    """)
    assert run.status == 1
    assert "job 'backup0' never ran" in run.message
    assert run.only.block["found"] == "created, null"


def test_the_last_event_of_a_job_that_was_waited_for_until_concluded_may_be_waited_for(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: {execute: blockdev-create, arguments: {job-id: j, options: {driver: file, filename: f.raw, size: 0}}}
        - wait-job: {id: j, until: concluded}
        - qmp: {execute: job-dismiss, arguments: {id: j}}
        - wait-job: j
        - assert-no-events
    """)
    assert run.status == 0, run.stderr
