"""The scenarios of incremental backup find out a QEMU that is broken: each lie turns its case `not ok`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from run_scenarios.cli.main import main

from tests.scenarios.lying_qemu import COMMANDS, REPLIES
from tests.support.scenarios import Run, RunSteps

pytestmark = pytest.mark.slow

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "incremental-backup"
LIES = {
    "granularity-ignored": ("simple.yaml::granularity=32768", "granularity: expected 32768"),
    "clear-does-nothing": ("transaction.yaml", "count: expected 0"),
    "backup-in-transaction-does-nothing": ("transaction.yaml", "there is no job 'drive0'"),
    "grouping-ignored": ("transaction-failure-race.yaml", "job 'drive0' completed; expected it to be cancelled"),
    "missing-bitmap-accepted": ("refusals.yaml::bitmap=missing", "'qmp' succeeded, though it must fail"),
    "unknown-bitmap-accepted": ("refusals.yaml::bitmap=not-found", "'qmp' succeeded, though it must fail"),
    "bad-granularity-accepted": ("bad-granularity.yaml", "'qmp' succeeded, though it must fail"),
    "stop-policy-ignored": ("pause.yaml", "data: expected exactly"),
    "long-write-half-done": ("failure.yaml", "'write -P0xfe 16M 256k' on drive0 failed"),
    "resize-does-nothing": ("growing-before-backup.yaml", "'write 64M 64k' on drive0 failed"),
    "bitmap-kept-dirty": ("simple.yaml::granularity=default", "count: expected 0"),
    "bitmap-cleared-after-failure": ("failure.yaml", "count: expected 458752"),
    "count-misreported": ("larger-cluster-target.yaml", "count: expected 458752"),
    "never-busy": ("pause.yaml", "busy: expected true"),
    "always-busy": ("simple.yaml::granularity=default", "busy: expected false"),
    "never-recording": ("simple.yaml::granularity=default", "recording: expected true"),
    "wrong-error-class": ("bad-granularity.yaml", 'class: expected "GenericError"'),
    "wrong-operation": ("transaction-failure-race.yaml", "data: expected exactly"),
    "wrong-action": ("pause.yaml", "data: expected exactly"),
    "error-swallowed": ("failure.yaml", "job 'drive0' completed; expected it to fail"),
    "wrong-errno": ("failure.yaml", "job 'drive0' failed with another error"),
    "offset-misreported": ("transaction.yaml", "completed with offset"),
    "copied-misreported": ("larger-cluster-target.yaml", "len: expected 67108864"),
}


def test_every_lie_is_told() -> None:
    assert set(LIES) == set(COMMANDS) | set(REPLIES)


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real QEMU's schema, so that the stand-in need not be asked for it each time."""
    file = tmp_path_factory.mktemp("schema") / "qmp.json"
    assert main(["--save-qmp-schema", str(file)]) == 0
    return file


@pytest.fixture
def run_lying(run_command: RunSteps, schema: Path, monkeypatch: pytest.MonkeyPatch) -> RunSteps:
    """Run scenarios on a QEMU that tells this lie."""

    def run(lie: str, scenarios: Path) -> Run:
        real = os.environ.get("QEMU_PROG") or shutil.which("qemu-system-x86_64") or ""
        monkeypatch.setenv("REAL_QEMU", shutil.which(real) or real)
        monkeypatch.setenv("LIE", lie)
        stand_in = Path(__file__).with_name("lying_qemu.py")
        return run_command("--qmp-schema", schema, "--qemu", stand_in, scenarios)

    return run


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_found_out(lie: str, run_lying: RunSteps) -> None:
    case, message = LIES[lie]
    run = run_lying(lie, SCENARIOS / case)
    assert run.status == 1, run.stderr
    assert message in run.message


def test_without_a_lie_the_stand_in_changes_nothing(run_lying: RunSteps) -> None:
    run = run_lying("", SCENARIOS)
    assert run.status == 0, run.stderr
