"""The verb `eventually`."""

from __future__ import annotations

import re

from tests.support.scenarios import RunSteps


def test_steps_that_pass_late_pass(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 16M}
        - write: {file: a.raw, patterns: [{at: 0, size: 16M}]}
        - launch: {drives: [{id: drive0, file: a.raw, format: raw}]}
        - qmp:
            execute: drive-backup
            arguments: {job-id: job0, device: drive0, sync: full, format: raw, target: b.raw, speed: 33554432}
        - qmp: query-jobs
          expect: [{id: job0}]
        - eventually: {within: 20s, every: 10ms}
          steps:
            - qmp: query-jobs
              expect: []
    """)
    assert run.status == 0, run.stderr


def test_the_last_failure_counts_and_the_tries_are_told(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - eventually: {within: 300ms, every: 20ms}
          steps:
            - qmp: query-status
            - qmp: query-status
              expect: {status: paused}
    """)
    assert run.status == 1
    assert re.fullmatch(
        r"step \d+ \(qmp\): the result of 'qmp': "
        r'status: expected "paused" \(string\), found "running" \(string\)',
        run.message,
    )
    tries = re.search(r"tried (\d+) time\(s\) within 0.3 s", run.only.block["details"])
    assert tries
    assert int(tries[1]) > 1
    assert [each["line"] for each in run.only.block["called_from"]] == [5]


def test_a_crash_is_not_tried_again(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch: {blockdev: [{driver: null-co, node-name: node0}]}
        - eventually: {within: 1s}
          steps:
            - qemu-io: {device: node0, commands: [abort]}
    """)
    assert run.status == 1
    assert run.message == "step 3 (qemu-io): VM 'vm' was killed by SIGABRT"
    assert run.only.block["reason"] == "qemu-crash"
    assert "tried" not in run.only.block.get("details", "")


def test_a_later_failure_is_not_blamed_on_an_earlier_try(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: {execute: blockdev-create, arguments: {job-id: j, options: {driver: file, filename: a, size: 512}}}
        - eventually: {within: 20s}
          steps:
            - qmp: query-jobs
              expect: [{status: concluded}]
        - qmp: query-block
          expect: [{}]
    """)
    assert run.status == 1
    assert run.message.endswith("(qmp): the result of 'qmp': expected 1 items, found 0: []")
    assert run.only.block["at"]["line"] == 11


def test_the_time_may_be_known_only_when_it_runs(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: query-version
          save: version
        - eventually: {within: "{{ version.qemu.major }}", every: "{{ version.qemu.major }}ms"}
          steps:
            - qmp: query-status
    """)
    assert run.status == 0, run.stderr


def test_the_variables_of_its_block_are_not_seen_outside(run_steps: RunSteps) -> None:
    run = run_steps("""
        - eventually: {within: 1s}
          steps:
            - set: {inner: 1}
            - assert: "{{ inner == 1 }}"
        - assert: "{{ inner == 1 }}"
    """)
    assert run.status == 2
    assert run.stderr.count("'inner' is not set") == 1


def test_a_step_that_times_out_is_tried_again(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - eventually: {within: 1s}
          steps:
            - wait-event: STOP
              timeout: 100ms
    """)
    assert run.status == 1
    assert "timed out after 0.1 s, waiting for the event STOP" in run.message
    tries = re.search(r"tried (\d+) time", run.stderr)
    assert tries
    assert int(tries[1]) > 1


def test_its_limit_bounds_the_steps_and_the_last_mismatch_counts(run_steps: RunSteps) -> None:
    """The second try waits for an event that the first has consumed, if it is not given back."""
    run = run_steps("""
        - launch
        - qmp: stop
        - eventually: {within: 500ms}
          steps:
            - wait-event: STOP
            - qmp: query-status
              expect: {status: running}
    """)
    assert run.status == 1
    assert 'expected "running" (string), found "paused" (string)' in run.message


def test_a_try_that_only_waits_ends_with_the_limit(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - eventually: {within: 300ms}
          steps:
            - wait-event: STOP
    """)
    assert run.status == 1
    assert "waiting for the event STOP" in run.message


def test_a_vm_that_has_ended_is_not_waited_for(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: quit
        - wait-exit
        - eventually: {within: 50s}
          steps:
            - qmp: query-status
    """)
    assert run.status == 1
    assert "VM 'vm' has ended" in run.message
    assert "tried" not in run.stderr


def test_a_reply_that_lacks_a_value_is_tried_again(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - eventually: {within: 200ms}
          steps:
            - qmp: query-named-block-nodes
              save: nodes
            - assert: "{{ nodes[0].ro }}"
    """)
    assert run.status == 1
    assert "the expression fails" in run.message
    assert "tried" in run.stderr
