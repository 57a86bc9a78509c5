"""Fault injection: a sample of the faults that `make faults` injects, and the verdicts on given runs."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from qa.faults.__main__ import _group_into_runs, _split_into_stages
from qa.faults.attempt import Observation, Target
from qa.faults.judge import Verdict, judge
from qa.faults.kinds import KINDS, FaultKind
from tests.support.command import ROOT

pytestmark = pytest.mark.slow

SCENARIO = """\
scenario: every kind of fault has something to hit
steps:
  - create-image: {file: d.qcow2, size: 1M}
  - launch: {drives: [{id: drive0, file: d.qcow2, format: qcow2}]}
  - create-image: {file: e.qcow2, size: 1M}
  - qmp: query-status
  - shutdown
  - compare: [d.qcow2, e.qcow2]
"""
REPORT = """\
TAP version 13
1..4
ok 1 - healthy-0
not ok 2 - one
  ---
  message: "VM 'vm' was killed by SIGKILL"
  ...
not ok 3 - other
  ---
  message: "qemu-img exited with status 86"
  ...
ok 4 - healthy-1
"""
KILLED = next(kind for kind in KINDS if kind.name == "qemu-killed")
FAILS = next(kind for kind in KINDS if kind.name == "tool-fails")
TARGET = Target("one.yaml", 1, "qmp", "one.yaml:3:5", runs_qemu=True, runs_tool=False, soon_kills=False)
OTHER = replace(TARGET, case="other.yaml", at="other.yaml:3:5")
BLOWS = ((KILLED, TARGET), (FAILS, OTHER))
NOTICED = Observation(
    status=1,
    hit=frozenset({"one", "other"}),
    names=("healthy-0", "one", "other", "healthy-1"),
    report=REPORT,
    stderr="",
    left=(),
    kept=0,
    peak=0,
)


def faults(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, from the root of the project."""
    command = [sys.executable, "-m", "qa.faults", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)


def test_every_kind_of_fault_at_every_verb(tmp_path: Path) -> None:
    """The same steps in three files, so that several faults share a run."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(SCENARIO)
    done = faults("--sample", "48", "--seed", "1", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n3 cases with 18 steps; 0 cannot run here\n" in done.stdout
    table = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[3:]}
    for kind in KINDS:
        injected = int(table[kind.name][0]) if kind.name in table else 0
        assert injected or (kind.fills_disk and "cannot mount" in done.stdout), done.stdout


def test_results_so_far_are_printed_when_it_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "case.yaml").write_text(SCENARIO)
    command = [sys.executable, "-m", "qa.faults", "--kind", "logs-removed", "--kind", "qemu-killed", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        for line in running.stdout:
            if "faults are possible" in line:
                break
        running.terminate()
        rest = running.stdout.read()
    assert re.search(r"^stopped$.*^all .* possible faults were injected", rest, re.MULTILINE | re.DOTALL), rest


def test_stages_defer_similar_faults() -> None:
    again = replace(TARGET, number=2)
    below = replace(TARGET, number=3, at="one.yaml:4:5")
    every = [(KILLED, TARGET), (KILLED, again), (KILLED, below)]
    first, of_verbs, as_written, *others, last = _split_into_stages(every)
    assert (first, of_verbs, as_written) == ([(KILLED, TARGET)], [], [(KILLED, below)])
    assert (others, last) == ([[], []], [(KILLED, again)])
    assert [len(stage) for stage in _split_into_stages(every, 2)] == [1, 0, 1, 0, 0, 0]


def test_a_run_has_each_case_once_and_a_fault_of_the_whole_run_alone() -> None:
    ends = next(kind for kind in KINDS if kind.ends_with is not None)
    every = [(KILLED, TARGET), (ends, TARGET), (FAILS, TARGET), (FAILS, OTHER)]
    runs = [((ends, TARGET),), ((KILLED, TARGET), (FAILS, OTHER)), ((FAILS, TARGET),)]
    assert list(_group_into_runs(every)) == runs


@pytest.mark.parametrize(
    ("seen", "verdicts"),
    [
        (NOTICED, [Verdict("noticed"), Verdict("noticed")]),
        (replace(NOTICED, left=("sleep 1000",)), [Verdict("leaked", ("sleep 1000",))] * 2),
        (replace(NOTICED, report=REPORT.replace("SIGKILL", "SIGTERM")), ["the cause is not named", ""]),
        (replace(NOTICED, report=REPORT.replace("not ok 2", "ok 2")), ["passed in spite of the fault", ""]),
        (replace(NOTICED, report=REPORT.replace("not ok 3", "ok 3")), ["", "passed in spite of the fault"]),
        # A case that was not hit must pass, and one that was must name its own fault.
        (replace(NOTICED, hit=frozenset({"one"})), ["", "failed although it was not hit"]),
        (replace(NOTICED, report=REPORT.replace("exited with status 86", "was killed by SIGKILL")), ["", "not named"]),
        (replace(NOTICED, report=REPORT.replace("ok 1", "not ok 1")), ["'healthy-0' did not pass"] * 2),
        (replace(NOTICED, report=REPORT.replace("1..4", "1..5")), ["5 points planned, 4 printed"] * 2),
        (replace(NOTICED, status=None), ["the run did not end"] * 2),
        (replace(NOTICED, stderr="Traceback (most recent call last)"), ["a bug in run-scenarios"] * 2),
        (replace(NOTICED, peak=1 << 30), ["took 1024 MiB of memory"] * 2),
        (replace(NOTICED, kept=100 << 20), ["kept 100 MiB"] * 2),
        (replace(NOTICED, names=(), hit=frozenset(), report=""), ["no case began"] * 2),
    ],
)
def test_verdicts(seen: Observation, verdicts: list[Verdict | str]) -> None:
    for verdict, found in zip(verdicts, judge(BLOWS, seen), strict=True):
        if isinstance(verdict, Verdict):
            assert found == verdict
        elif verdict:
            assert found.outcome == "wrong"
            assert any(verdict in problem for problem in found.problems), found
        else:
            assert found.outcome == "noticed"


def test_a_passing_case_whose_fault_hit_nothing() -> None:
    report = REPORT.replace("not ok 3", "ok 3")
    seen = replace(NOTICED, hit=frozenset({"one"}), report=report)
    assert [each.outcome for each in judge(BLOWS, seen)] == ["noticed", "nothing to hit"]


def test_a_fault_that_ends_the_run_decides_its_status() -> None:
    kind = FaultKind("runner-interrupted", lambda files: True, ends_with=130)
    report = "TAP version 13\n1..2\nok 1 - healthy-0\nnot ok 2 - one\nBail out! interrupted by SIGINT\n"
    seen = replace(NOTICED, status=130, report=report, names=("healthy-0", "one"), hit=frozenset({"one"}))
    assert judge([(kind, TARGET)], seen) == [Verdict("noticed")]
    assert judge([(kind, TARGET)], replace(seen, status=1))[0].problems == ("status 1 instead of 130",)


def test_a_fault_may_be_lost_with_a_qemu_that_is_killed() -> None:
    lost = next(kind for kind in KINDS if kind.name == "qmp-closes")
    seen = replace(NOTICED, report=REPORT.replace("was killed by SIGKILL", "timed out after 2 s, waiting for job 'a'"))
    assert judge([(lost, replace(TARGET, soon_kills=True)), BLOWS[1]], seen)[0] == Verdict("noticed")
    (problem,) = judge([(lost, TARGET), BLOWS[1]], seen)[0].problems
    assert problem.startswith("the cause is not named")
