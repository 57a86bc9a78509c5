"""`--audit` on the real QEMU."""

from __future__ import annotations

import json
import re
import signal
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from run_scenarios.audit.mutant_runs import Verdict, classify_result
from run_scenarios.audit.mutants import Mutant
from run_scenarios.cli.options import parse_options
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.events import Failure, Outcome, Result
from run_scenarios.core.source import Source, Span
from run_scenarios.steps import VERBS

from tests.report.taplint import lint
from tests.support import command
from tests.support.scenarios import Run, RunSteps, write_scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FINDING = re.compile(r"^(\S+):(\d+):\d+: (error|warning)\[audit\]: (.*)$", re.MULTILINE)
EVERYTHING = """
- create-image: {file: a.raw, size: 1M}
- write: {file: a.raw, patterns: [{byte: 1, at: 0, size: 64k}, {byte: 2, at: 64k, size: 64k}]}
- launch:
    drives: [{id: drive0, file: a.raw, format: raw, discard: unmap}]
- qmp: {execute: block-dirty-bitmap-add, arguments: {node: drive0, name: b, granularity: 65536}}
- write: {device: drive0, patterns: [{byte: 3, at: 128k, size: 64k}]}
- discard: {device: drive0, ranges: [{at: 192k, size: 64k}]}
- assert-bitmap: {node: drive0, name: b, busy: false, recording: true, dirty: [{at: 128k, size: 128k}]}
- assert-bitmap: {node: drive0, name: c, exists: false}
- qmp: {execute: drive-backup, arguments: {job-id: j, device: drive0, sync: full, format: raw, target: b.raw}}
- wait-job: j
  expect: {outcome: completed, len: {$ge: 1048576}}
- qmp: {execute: drive-backup, arguments: {job-id: j, device: drive0, sync: none, format: qcow2, target: c.qcow2}}
- qmp: {execute: block-job-cancel, arguments: {device: j}}
- wait-job: {id: j, outcome: cancelled}
- qmp: {execute: job-dismiss, arguments: {id: j}}
  error: {class: GenericError, desc: {$contains: not found}}
- assert-no-jobs
- assert-no-events
- qmp: stop
- qmp: cont
- wait-event: {name: RESUME, expect: {data: {$absent: true}}}
- qmp: query-status
  save: status
- assert: "{{ status.running }}"
- assert: {value: "{{ status }}", expect: {$contains: x}}
  when: "{{ false }}"
- eventually: {within: 20s}
  steps:
    - qmp: query-jobs
      expect: []
- qmp: quit
- wait-exit
- read: {file: a.raw, patterns: [{byte: 1, at: 0, size: 64k}, {byte: "{{ 1 + 1 }}", at: 64k, size: 64k}]}
- compare: [a.raw, b.raw]
- create-image: {file: d.qcow2, size: 1M}
- check-image: d.qcow2
- image-info: d.qcow2
  expect: {virtual-size: 1048576}
- assert-content: {file: d.qcow2, is: now}
"""
"""A scenario with every verb that asserts something."""


BROKEN, DROPPED, NOT_COVERED = (
    "no case fails if this is broken",
    "no case fails if this is dropped",
    "no case runs this step",
)
WRITE = """
- create-image: {file: a.raw, size: 1M}
- write: {file: a.raw, patterns: [{byte: 1, at: 0, size: 64k}]}
"""
MATRIX = """
matrix: {n: [1, 2]}
procedures:
  check:
    parameters: {n: integer}
    steps:
      - assert: "{{ n > 0 }}"
      - assert: "{{ n > 1 }}"
        when: "{{ n == 2 }}"
"""
LIBRARY = "procedures:\n  used: {steps: [{assert: '{{ 1 == 1 }}'}]}\n  unused: {steps: [{assert: '{{ 1 == 1 }}'}]}\n"
USER = "scenario: u\nimport: [library.yaml]\nsteps: [{call: used}]\n"


def findings(run: Run) -> list[tuple[int, str]]:
    """Return the findings of the audit, each with its line in the file and its message."""
    return [(int(line), message) for _, line, _, message in FINDING.findall(run.stderr)]


def audited(run_steps: RunSteps, steps: str, head: str = "") -> list[tuple[int, str]]:
    """Return what an audit finds. The steps begin in line 3 of the file, or below the head."""
    run = run_steps(steps.strip(), "--audit", head=head)
    assert run.status == (1 if findings(run) else 0), run.stderr
    assert not lint(run.stdout)
    return findings(run)


@pytest.mark.slow
def test_every_verb_that_asserts_can_fail(run_steps: RunSteps) -> None:
    asserting = {name for name, verb in VERBS.items() if verb.MUTATORS or verb.EFFECTS_KEY}
    assert asserting <= set(re.findall(r"^ *- ([a-z-]+)", EVERYTHING, re.MULTILINE))
    assert audited(run_steps, EVERYTHING) == [(28, NOT_COVERED)]


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        (WRITE, [(4, DROPPED)]),
        (f"{WRITE}- read: {{file: a.raw, patterns: [{{byte: 1, at: 0, size: 64k}}]}}", []),
        (f"{WRITE}- read: {{file: a.raw, patterns: [{{byte: 0, at: 64k, size: 64k}}]}}", [(4, DROPPED)]),
        (f"{WRITE}- read: {{file: a.raw, patterns: [{{at: 0, size: 64k}}]}}", [(4, DROPPED)]),
        (
            f"{WRITE}- compare: [a.raw, a.raw]  # lint: RS009 as a probe",
            [(4, DROPPED), (5, "this cannot fail: the image is compared with itself")],
        ),
        ("- assert: true", [(3, "this cannot fail: it is the constant true")]),
        (
            "- launch\n- qmp: query-jobs\n  expect: {$length: {$ge: 0}}",
            [(5, "this cannot fail: it accepts any text")],
        ),
        ("- launch\n- qmp: query-jobs\n  expect: {$any: true}", [(5, "this cannot fail: it accepts any value")]),
        ("- assert: '{{ 1 == 2 }}'\n  when: '{{ 1 == 2 }}'\n- assert: '{{ 1 == 1 }}'", [(3, NOT_COVERED)]),
        (
            "- launch\n- qmp: stop\n- wait-job: {id: j, until: ready, outcome: cancelled}\n  when: false\n- shutdown",
            [(5, NOT_COVERED)],
        ),
    ],
)
def test_survivors_are_found(run_steps: RunSteps, steps: str, found: list[tuple[int, str]]) -> None:
    assert audited(run_steps, steps) == found


def test_each_pattern_is_dropped_by_itself(run_steps: RunSteps) -> None:
    steps = """
    - create-image: {file: a.raw, size: 1M}
    - write:
        file: a.raw
        patterns:
          - {byte: 1, at: 0, size: 64k}
          - {byte: 2, at: 64k, size: 64k}
    - read: {file: a.raw, patterns: [{byte: 1, at: 0, size: 64k}]}
    """
    assert audited(run_steps, textwrap.dedent(steps)) == [(8, DROPPED)]


def test_an_outcome_that_is_not_reached_is_found(run_steps: RunSteps) -> None:
    steps = """
    - create-image: {file: a.raw, size: 1M}
    - launch:
        drives: [{id: drive0, file: a.raw, format: raw}]
    - qmp: {execute: drive-mirror, arguments: {device: drive0, sync: full, format: raw, target: b.raw}}
    - wait-job: {id: drive0, until: ready, outcome: completed}
    - shutdown
    """
    assert audited(run_steps, textwrap.dedent(steps)) == [(7, BROKEN)]


def test_one_case_of_a_matrix_is_enough_to_kill_a_mutant(run_steps: RunSteps) -> None:
    assert audited(run_steps, '- call: check\n  with: {n: "{{ n }}"}', MATRIX) == []


def test_each_file_has_a_test_point_with_its_findings(run_steps: RunSteps) -> None:
    run = run_steps(WRITE.strip(), "--audit")
    case, file = run.points
    assert (case.name, case.ok) == ("case", True)
    assert (file.name, file.ok) == ("case.yaml (audit)", False)
    assert file.block["reason"] == "unproven-assertion"
    assert file.block["at"] == {"file": "case.yaml", "line": 4, "column": 5}
    assert "audit: 1 mutant: 0 killed, 1 survived, 0 not covered, 0 undecided" in run.stderr
    assert "      |     ^^^^^ run in 1 case; strengthen the scenario, or suppress" in run.stderr


def test_the_json_report_has_every_mutant(run_steps: RunSteps) -> None:
    run_steps(f"{WRITE.strip()}\n- assert: '{{{{ 1 == 1 }}}}'", "--audit", "--json", "run.jsonl")
    lines = map(json.loads, Path("run.jsonl").read_text().splitlines())
    mutants = [each for each in lines if each["event"] == "mutant-finished"]
    shown = {(each["line"], each["change"]): (each["verdict"], each["trials"]) for each in mutants}
    assert shown == {
        (4, "dropped"): ("survived", [{"name": "case", "outcome": "passed"}]),
        (5, "broken"): ("killed", [{"name": "case", "outcome": "assertion"}]),
    }


def test_a_comment_with_a_reason_suppresses(run_steps: RunSteps) -> None:
    run = run_steps(
        "- create-image: {file: a.raw, size: 1M}\n# audit: a probe\n" + WRITE.strip().split("\n")[1], "--audit"
    )
    assert run.status == 0
    assert findings(run) == []
    assert "0 undecided, 1 suppressed" in run.stderr


def test_a_comment_without_a_reason_is_an_error(run_steps: RunSteps) -> None:
    found = audited(run_steps, f"{WRITE.rstrip()}  # audit:")
    assert found == [(4, DROPPED), (4, "this suppression has no reason")]


def test_an_unused_suppression_is_a_warning(run_steps: RunSteps) -> None:
    run = run_steps("- assert: '{{ 1 == 1 }}'  # audit: it was different once", "--audit")
    assert run.status == 0
    assert findings(run) == [(3, "this suppression is unused: every mutant on line 3 is killed")]


def test_no_mutant_runs_in_a_case_that_fails_unchanged(run_steps: RunSteps) -> None:
    run = run_steps("- assert: '{{ 1 == 1 }}'\n- assert: '{{ 1 == 2 }}'", "--audit")
    assert run.status == 1
    assert [(each.ok, each.directive) for each in run.points] == [(False, ""), (True, "SKIP")]
    assert findings(run) == []


def test_no_artifacts_of_mutants_are_kept(run_steps: RunSteps, test_dir: Path) -> None:
    run = run_steps("- assert: '{{ 1 == 1 }}'", "--audit", "--artifacts", "kept")
    assert run.status == 0
    assert [each.name for each in Path("kept").iterdir()] == ["case"]
    assert not list(test_dir.iterdir())


def test_a_procedure_file_is_audited_with_all_of_its_users(run_command: RunSteps, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s/library.yaml").write_text(LIBRARY)
    (tmp_path / "s/user.yaml").write_text(USER)
    assert findings(run_command("--audit", "s")) == [(3, NOT_COVERED)]
    assert findings(run_command("--audit", "s/user.yaml")) == []
    (tmp_path / "s/other.yaml").write_text("scenario: o\nsteps: [{assert: '{{ 1 == 1 }}'}]\n")
    assert findings(run_command("--audit", "s", "-k", "user")) == [(3, NOT_COVERED)]
    (tmp_path / "s/other.yaml").write_text(USER)
    assert findings(run_command("--audit", "s", "-k", "user")) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--repeat", "2"], "--audit cannot be used with --repeat"),
        (["--qemu", "a", "--qemu", "b"], "--audit needs a single --qemu"),
    ],
)
def test_it_refuses_several_builds_or_rounds(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse_options(["--audit", *options, "a.yaml"])
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_signal_stops_it_cleanly(tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Within a procedure `eventually` keeps its patience.
    head = "procedures: {check: {steps: [launch, {assert: '{{ 1 == 1 }}'}]}}"
    write_scenario(tmp_path, "- eventually: {within: 1000s}\n  steps: [{call: check}]", head)
    running = command.start("--audit", "case.yaml")
    try:
        running.read_until("ok 1 - case")
        command.eventually(lambda: command.qemus_in(test_dir), "QEMU to run")
        running.send(signal.SIGTERM)
        report = running.read_until("Bail out! interrupted by SIGTERM")
        assert "ok 2 - case.yaml (audit) # SKIP not run, interrupted" in report
        assert running.finish().status == 128 + signal.SIGTERM
    finally:
        command.end_all()
    assert not list(test_dir.iterdir())


@pytest.mark.slow
def test_no_mutant_of_the_shipped_scenarios_survives(run_command: RunSteps) -> None:
    shipped = ["images", "bitmap-sync/refusals.yaml", "backup/dismissal-unknown-id.yaml", "mirror/unaligned-size.yaml"]
    run = run_command("--audit", *(SCENARIOS / each for each in shipped))
    assert run.status == 0, run.stderr


FAILED_THERE = Failure(Diagnostic(Span(Source("a", ""), 1, 1), "x"), step_span=Span(Source("a", ""), 1, 1))
FAILED_ELSEWHERE = replace(FAILED_THERE, step_span=Span(Source("a", ""), 2, 1))


@pytest.mark.parametrize(
    ("result", "broken", "dropped"),
    [
        (Result(Outcome.PASSED), Verdict.SURVIVED, Verdict.SURVIVED),
        (Result(Outcome.FAILED, failure=FAILED_THERE), Verdict.KILLED, Verdict.KILLED),
        (Result(Outcome.FAILED, failure=FAILED_ELSEWHERE), Verdict.UNDECIDED, Verdict.KILLED),
        (Result(Outcome.TIMED_OUT, failure=FAILED_THERE), Verdict.UNDECIDED, Verdict.KILLED),
        (Result(Outcome.CRASHED, failure=FAILED_THERE), Verdict.UNDECIDED, Verdict.KILLED),
        (Result(Outcome.INVALID, failure=FAILED_THERE), Verdict.UNDECIDED, Verdict.UNDECIDED),
        (Result(Outcome.BROKEN, failure=FAILED_THERE), Verdict.UNDECIDED, Verdict.UNDECIDED),
        (Result(Outcome.SKIPPED), Verdict.UNDECIDED, Verdict.UNDECIDED),
    ],
)
def test_a_broken_assertion_must_fail_itself(result: Result, broken: Verdict, dropped: Verdict) -> None:
    place = Span(Source("a", ""), 1, 1)
    assert classify_result(Mutant(place, place, ()), result) is broken
    assert classify_result(Mutant(place, place, (), is_dropped=True), result) is dropped
