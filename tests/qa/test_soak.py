"""The soak test: a few rounds under load, and its counts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from qa.soak.__main__ import PROCESSORS, Tally, follow
from tests.support.command import FAILS, ROOT

SCENARIOS = ROOT / "scenarios"
QUICK = [SCENARIOS / "incremental-backup" / name for name in ("pause.yaml", "transaction-failure-race.yaml")]
REPORT = """\
TAP version 13
1..4
ok 1 - a (round 1 of 2)
not ok 2 - b (round 1 of 2)
  ---
  message: "why"
  ...
ok 3 - a (round 2 of 2)
ok 4 - b (round 2 of 2) # SKIP not run
"""


def soak(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, from the root of the project."""
    command = [sys.executable, "-m", "qa.soak", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.usefixtures("test_dir")
def test_a_few_rounds_under_load() -> None:
    done = soak("--rounds", "3", *QUICK)
    assert re.fullmatch(r"6 passed; 2 cases, 3 rounds of each; load \d+\.\d; status 0\n", done.stdout), done
    assert done.returncode == 0


@pytest.mark.usefixtures("test_dir")
def test_a_failure_is_shown_and_counted(tmp_path: Path) -> None:
    (tmp_path / "fails.yaml").write_text(FAILS)
    done = soak("--rounds", "2", "--load", "1", tmp_path / "fails.yaml")
    assert done.returncode == 1
    assert 'message: "step 1 (assert): ' in done.stdout
    assert re.search(r"\n2 failed; 1 case, 2 rounds of each; load \d+\.\d; status 1\n$", done.stdout)


def test_skipped_cases_are_not_rounds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (9.0 * PROCESSORS, 0.0, 0.0))
    tally = Tally()
    follow(REPORT.splitlines(keepends=True), tally)
    assert str(tally) == "2 passed, 1 failed, 1 skipped; 2 cases, 1 to 2 rounds of each; load 9.0"
    assert capsys.readouterr().out == 'not ok 2 - b (round 1 of 2)\n  ---\n  message: "why"\n  ...\n'
