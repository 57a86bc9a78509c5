"""`--audit` on the real QEMU: what it finds, what it does not, and what it leaves."""

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
"""
"""A scenario with every verb that asserts something."""


BROKEN, LEFT_OUT, NO_CASE = "no case fails if this is broken", "no case fails if this is left out", "no case comes here"
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


def test_every_assertion_is_seen_to_fail(run_steps: RunSteps) -> None:
    asserting = {name for name, verb in VERBS.items() if verb.MUTATORS or verb.EFFECTS_KEY}
    assert asserting <= set(re.findall(r"^ *- ([a-z-]+)", EVERYTHING, re.MULTILINE))
    assert audited(run_steps, EVERYTHING) == [(28, NO_CASE)]


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        (WRITE, [(4, LEFT_OUT)]),
        (f"{WRITE}- read: {{file: a.raw, patterns: [{{byte: 1, at: 0, size: 64k}}]}}", []),
        (f"{WRITE}- read: {{file: a.raw, patterns: [{{byte: 0, at: 64k, size: 64k}}]}}", [(4, LEFT_OUT)]),
        (f"{WRITE}- read: {{file: a.raw, patterns: [{{at: 0, size: 64k}}]}}", [(4, LEFT_OUT)]),
        (
            f"{WRITE}- compare: [a.raw, a.raw]  # lint: RS009 as a probe",
            [(4, LEFT_OUT), (5, "this cannot fail: it is compared with itself")],
        ),
        ("- assert: true", [(3, "this cannot fail: it says so itself")]),
        (
            "- launch\n- qmp: query-jobs\n  expect: {$length: {$ge: 0}}",
            [(5, "this cannot fail: any text will do")],
        ),
        ("- launch\n- qmp: query-jobs\n  expect: {$any: true}", [(5, "this cannot fail: any value at all will do")]),
        ("- assert: '{{ 1 == 2 }}'\n  when: '{{ 1 == 2 }}'\n- assert: '{{ 1 == 1 }}'", [(3, NO_CASE)]),
        (
            "- launch\n- qmp: stop\n- wait-job: {id: j, until: ready, outcome: cancelled}\n  when: false\n- shutdown",
            [(5, NO_CASE)],
        ),
    ],
)
def test_what_proves_nothing_is_found(run_steps: RunSteps, steps: str, found: list[tuple[int, str]]) -> None:
    assert audited(run_steps, steps) == found


def test_each_pattern_that_is_written_must_be_looked_at(run_steps: RunSteps) -> None:
    steps = """
    - create-image: {file: a.raw, size: 1M}
    - write:
        file: a.raw
        patterns:
          - {byte: 1, at: 0, size: 64k}
          - {byte: 2, at: 64k, size: 64k}
    - read: {file: a.raw, patterns: [{byte: 1, at: 0, size: 64k}]}
    """
    assert audited(run_steps, textwrap.dedent(steps)) == [(8, LEFT_OUT)]


def test_an_outcome_that_is_never_looked_at_is_found(run_steps: RunSteps) -> None:
    steps = """
    - create-image: {file: a.raw, size: 1M}
    - launch:
        drives: [{id: drive0, file: a.raw, format: raw}]
    - qmp: {execute: drive-mirror, arguments: {device: drive0, sync: full, format: raw, target: b.raw}}
    - wait-job: {id: drive0, until: ready, outcome: completed}
    - shutdown
    """
    assert audited(run_steps, textwrap.dedent(steps)) == [(7, BROKEN)]


def test_one_case_of_a_matrix_that_fails_is_proof(run_steps: RunSteps) -> None:
    assert audited(run_steps, '- call: check\n  with: {n: "{{ n }}"}', MATRIX) == []


def test_the_point_of_a_file_says_what_was_found_where(run_steps: RunSteps) -> None:
    run = run_steps(WRITE.strip(), "--audit")
    case, file = run.points
    assert (case.name, case.ok) == ("case", True)
    assert (file.name, file.ok) == ("case.yaml (audit)", False)
    assert file.block["reason"] == "unproven-assertion"
    assert file.block["at"] == {"file": "case.yaml", "line": 4, "column": 5}
    assert "audit: 1 mutant: 0 killed, 1 survived, 0 never reached, 0 not decided" in run.stderr
    assert "      |     ^^^^^ tried in 1 case; mend it, or say why" in run.stderr


def test_the_json_report_has_every_mutant(run_steps: RunSteps) -> None:
    run_steps(f"{WRITE.strip()}\n- assert: '{{{{ 1 == 1 }}}}'", "--audit", "--json", "run.jsonl")
    lines = map(json.loads, Path("run.jsonl").read_text().splitlines())
    mutants = [each for each in lines if each["event"] == "mutant-finished"]
    shown = {(each["line"], each["change"]): (each["verdict"], each["trials"]) for each in mutants}
    assert shown == {
        (4, "left-out"): ("survived", [{"name": "case", "outcome": "passed"}]),
        (5, "broken"): ("killed", [{"name": "case", "outcome": "assertion"}]),
    }


def test_a_comment_with_a_reason_excuses(run_steps: RunSteps) -> None:
    run = run_steps(
        "- create-image: {file: a.raw, size: 1M}\n# audit: a probe\n" + WRITE.strip().split("\n")[1], "--audit"
    )
    assert run.status == 0
    assert findings(run) == []
    assert "0 not decided, 1 excused" in run.stderr


def test_a_comment_without_a_reason_excuses_nothing(run_steps: RunSteps) -> None:
    found = audited(run_steps, f"{WRITE.rstrip()}  # audit:")
    assert found == [(4, LEFT_OUT), (4, "this comment gives no reason")]


def test_a_comment_that_excuses_nothing_is_a_warning(run_steps: RunSteps) -> None:
    run = run_steps("- assert: '{{ 1 == 1 }}'  # audit: it was different once", "--audit")
    assert run.status == 0
    assert findings(run) == [(3, "this comment excuses nothing: a case fails for whatever is broken on line 3")]


def test_a_case_that_fails_anyhow_proves_nothing(run_steps: RunSteps) -> None:
    run = run_steps("- assert: '{{ 1 == 1 }}'\n- assert: '{{ 1 == 2 }}'", "--audit")
    assert run.status == 1
    assert [(each.ok, each.directive) for each in run.points] == [(False, ""), (True, "SKIP")]
    assert findings(run) == []


def test_nothing_is_kept_of_what_was_made_to_fail(run_steps: RunSteps, test_dir: Path) -> None:
    run = run_steps("- assert: '{{ 1 == 1 }}'", "--audit", "--artifacts", "kept")
    assert run.status == 0
    assert [each.name for each in Path("kept").iterdir()] == ["case"]
    assert not list(test_dir.iterdir())


def test_a_library_is_judged_by_those_who_use_all_of_it(run_command: RunSteps, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s/library.yaml").write_text(LIBRARY)
    (tmp_path / "s/user.yaml").write_text(USER)
    assert findings(run_command("--audit", "s")) == [(3, NO_CASE)]
    assert findings(run_command("--audit", "s/user.yaml")) == []
    (tmp_path / "s/other.yaml").write_text("scenario: o\nsteps: [{assert: '{{ 1 == 1 }}'}]\n")
    assert findings(run_command("--audit", "s", "-k", "user")) == [(3, NO_CASE)]
    (tmp_path / "s/other.yaml").write_text(USER)
    assert findings(run_command("--audit", "s", "-k", "user")) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--repeat", "2"], "--audit runs each case once as it is"),
        (["--qemu", "a", "--qemu", "b"], "--audit is of one --qemu at a time"),
    ],
)
def test_it_is_for_one_build_and_one_round(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse_options(["--audit", *options, "a.yaml"])
    assert said in capsys.readouterr().err


def test_a_signal_ends_it_and_leaves_nothing(tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_shipped_scenarios_are_proven(run_command: RunSteps) -> None:
    shipped = ["images", "bitmap-sync/refusals.yaml", "backup/dismissal-unknown-id.yaml", "mirror/unaligned-size.yaml"]
    run = run_command("--audit", *(SCENARIOS / each for each in shipped))
    assert run.status == 0, run.stderr


FAILED_THERE = Failure(Diagnostic(Span(Source("a", ""), 1, 1), "x"), step_span=Span(Source("a", ""), 1, 1))
FAILED_ELSEWHERE = replace(FAILED_THERE, step_span=Span(Source("a", ""), 2, 1))


@pytest.mark.parametrize(
    ("result", "broken", "left_out"),
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
def test_a_broken_assertion_must_fail_where_it_stands(result: Result, broken: Verdict, left_out: Verdict) -> None:
    place = Span(Source("a", ""), 1, 1)
    assert classify_result(Mutant(place, place, ()), result) is broken
    assert classify_result(Mutant(place, place, (), is_dropped=True), result) is left_out
