"""A sample of faults, as `make faults` injects many; and that what must not be is called so."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import PYTHON_PATH
from tests.faults.attempt import Observed, Target
from tests.faults.judge import Verdict, judge
from tests.faults.kinds import KINDS, Kind

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
1..2
ok 1 - healthy
not ok 2 - case
  ---
  message: "VM 'vm' was killed by SIGKILL"
  ...
"""
KILLED = KINDS[0]
TARGET = Target("case.yaml", 1, "qmp", runs_qemu=True, runs_tool=False, soon_kills=False)
NOTICED = Observed(status=1, hit=True, report=REPORT, stderr="", left=(), kept=0, peak=0)


def faults(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, from the root of the project."""
    command = [sys.executable, "-m", "tests.faults", *map(str, arguments)]
    return subprocess.run(command, cwd=PYTHON_PATH, capture_output=True, text=True, timeout=240)


def test_every_kind_of_fault_at_every_verb(tmp_path: Path) -> None:
    (tmp_path / "case.yaml").write_text(SCENARIO)
    done = faults("--sample", "48", "--seed", "1", tmp_path / "case.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n1 cases with 6 steps; 0 cannot run here\n" in done.stdout
    table = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[2:]}
    for kind in KINDS:
        injected = int(table[kind.name][0]) if kind.name in table else 0
        assert injected or (kind.fills_disk and "nothing can be mounted" in done.stdout), done.stdout


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (NOTICED, Verdict("noticed")),
        (replace(NOTICED, hit=False), Verdict("nothing to hit")),
        (replace(NOTICED, left=("sleep 1000",)), Verdict("leaked", ("sleep 1000",))),
        (replace(NOTICED, report=REPORT.replace("SIGKILL", "SIGTERM")), "the cause is not named"),
        (replace(NOTICED, report=REPORT.replace("not ok 2", "ok 2")), "passed all the same"),
        (replace(NOTICED, report=REPORT.replace("ok 1", "not ok 1")), "the case beside did not pass"),
        (replace(NOTICED, report=REPORT.replace("1..2", "1..3")), "3 points planned, 2 printed"),
        (replace(NOTICED, status=None), "it did not end"),
        (replace(NOTICED, stderr="Traceback (most recent call last)"), "a bug of ours"),
        (replace(NOTICED, peak=1 << 30), "took 1024 MiB of memory"),
        (replace(NOTICED, kept=100 << 20), "kept 100 MiB"),
    ],
)
def test_what_was_seen_is_judged(seen: Observed, verdict: Verdict | str) -> None:
    found = judge(KILLED, TARGET, seen)
    if isinstance(verdict, Verdict):
        assert found == verdict
    else:
        assert found.came_to == "wrong"
        assert any(verdict in problem for problem in found.problems), found


def test_a_run_that_is_to_end_ends_with_that_status() -> None:
    kind = Kind("runner-interrupted", lambda scene: True, ends_with=130)
    report = "TAP version 13\n1..2\nok 1 - healthy\nnot ok 2 - case\nBail out! interrupted by SIGINT\n"
    assert judge(kind, TARGET, replace(NOTICED, status=130, report=report)).came_to == "noticed"
    assert judge(kind, TARGET, replace(NOTICED, status=1, report=report)).problems == ("status 1 instead of 130",)
