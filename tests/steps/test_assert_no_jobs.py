"""The verb `assert-no-jobs`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps

JOB = """
procedures:
  start-creation:
    steps:
      - launch: {blockdev: [{driver: null-co, node-name: node0}]}
      - qmp:
          execute: blockdev-create
          arguments: {job-id: job0, options: {driver: file, filename: b.raw, size: 65536}}
      - wait-job: {id: job0, until: concluded}
"""


def test_a_job_that_is_not_dismissed_fails_it(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-creation
        - assert-no-jobs
        """,
        head=JOB,
    )
    assert run.status == 1
    assert run.message == "step 5 (assert-no-jobs): there are jobs: job0 (concluded)"
    assert run.only.block["wanted"] == "[]"


def test_no_job_passes(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: start-creation
        - qmp: {execute: job-dismiss, arguments: {id: job0}}
        - assert-no-jobs
        """,
        head=JOB,
    )
    assert run.status == 0, run.stderr
