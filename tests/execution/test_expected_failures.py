"""`expected-failure`: which failures are the expected one, and in which cases."""

from __future__ import annotations

import os

import pytest
from run_scenarios.qemu.programs import find_programs

from tests.support.scenarios import RunSteps

FAILS = """
- launch
- name: the status is that of a coroutine
  qmp: query-status
  expect: {status: colo}
"""
MESSAGE = 'the result of \'qmp\': status: expected "colo" (string), found "running" (string)'
MAJOR = int(find_programs({}, os.environ).version.partition(".")[0])


@pytest.mark.parametrize(
    "expected",
    [
        "a bug",
        "{because: a bug}",
        "{because: a bug, step: 2}",
        "{because: a bug, step: the status is that of a coroutine}",
        "{because: a bug, message: {$contains: found}}",
        f"{{because: a bug, message: {MESSAGE!r}}}".replace("\\'", "''"),
        "{because: a bug, outcome: assertion}",
        f'{{because: a bug, qemu: ">= {MAJOR}"}}',
        f'{{because: a bug, qemu: "< {MAJOR + 1}"}}',
        "[{because: another bug, step: 1}, {because: a bug, step: 2}]",
    ],
)
def test_the_expected_failure_is_reported_as_known(run_steps: RunSteps, expected: str) -> None:
    run = run_steps(FAILS, head=f"expected-failure: {expected}")
    assert run.status == 0, run.stdout
    assert (run.only.ok, run.only.directive) == (False, "TODO")
    assert "# TODO a bug" in run.stdout


@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        ("{because: a bug, step: 1}", "step: expected 1, found 2"),
        ("{because: a bug, outcome: timeout}", "outcome: expected timeout, found assertion"),
        (
            "{because: a bug, step: 2, message: {$contains: paused}}",
            f'message: expected text containing "paused" (string), found {MESSAGE}',
        ),
    ],
)
def test_another_failure_fails_the_case(run_steps: RunSteps, expected: str, difference: str) -> None:
    run = run_steps(FAILS, head=f"expected-failure: {expected}")
    assert (run.status, run.only.block["reason"]) == (1, "assertion")
    last = run.only.block["details"].splitlines()[-1].replace('\\"', '"')
    assert last.startswith("this is not the expected failure (a bug): ")
    assert last.endswith(difference) or difference.partition(", found")[0] in last


@pytest.mark.parametrize("excluded", [f'qemu: "< {MAJOR}"', "matrix: {n: 2}"])
def test_a_failure_is_expected_only_where_it_applies(run_steps: RunSteps, excluded: str) -> None:
    head = f"matrix: {{n: [1]}}\nexpected-failure: {{because: a bug, step: 2, {excluded}}}"
    assert run_steps(FAILS, head=head).only.block["reason"] == "assertion"
    assert run_steps("- launch\n", head=head.replace("step: 2", "outcome: assertion")).status == 0


def test_a_pass_where_a_failure_is_expected_is_a_failure(run_steps: RunSteps) -> None:
    head = "matrix: {n: [1, 2]}\nexpected-failure: {because: a bug, matrix: {n: 2}, outcome: assertion}"
    run = run_steps("- launch\n", head=head)
    assert [each.ok for each in run.points] == [True, False]
    assert run.points[1].block["reason"] == "unexpected-pass"
    assert run.points[1].block["at"]["line"] == 3


def test_a_crash_is_not_an_expected_assertion(run_steps: RunSteps) -> None:
    steps = """
    - create-image: {file: a.raw, size: 1M}
    - launch: {drives: [{id: drive0, file: a.raw, format: raw}]}
    - qmp: {execute: human-monitor-command, arguments: {command-line: 'qemu-io drive0 "sigraise 6"'}}
    """
    run = run_steps(steps, head="expected-failure: {because: a bug, outcome: assertion}")
    assert (run.status, run.only.block["reason"]) == (1, "qemu-crash")
    assert "outcome: expected assertion, found qemu-crash" in run.only.block["details"]
    assert run_steps(steps, head="expected-failure: {because: a bug, outcome: qemu-crash}").status == 0
