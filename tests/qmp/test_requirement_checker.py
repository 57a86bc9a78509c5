"""Names in `requires` that no known QEMU has are errors; those that another QEMU has are a reason to skip."""

from __future__ import annotations

import pytest
from run_scenarios.qmp import requirement_checker
from run_scenarios.qmp.known_names import COMMANDS, EVENTS, FEATURES, NEWEST, OLDEST

from tests.support.scenarios import RunSteps


@pytest.mark.parametrize(
    ("requires", "column", "message", "hint"),
    [
        (
            "commands: [blockdev-add, blockdev-adds]",
            37,
            "there is no QMP command 'blockdev-adds' in QEMU 6.2 to ",
            "did you mean 'blockdev-add'?",
        ),
        ("commands: [xyzzy]", 23, "there is no QMP command 'xyzzy'", "if a QEMU after "),
        ("commands: [JOB_STATUS_CHANGE]", 23, "there is no QMP command", "'JOB_STATUS_CHANGE' is an event"),
        (
            "features: [blockdev-snapshot/allow-write-only-overlays]",
            23,
            "there is no QMP feature 'blockdev-snapshot/allow-write-only-overlays'",
            "did you mean 'blockdev-snapshot/allow-write-only-overlay'?",
        ),
        (
            "features: [blockdev-snapshot/overlay]",
            23,
            "there is no QMP feature 'blockdev-snapshot/overlay'",
            "'overlay' is an argument of 'blockdev-snapshot'",
        ),
        ("features: [blockdev-add/qcow2]", 23, "there is no QMP feature", "if a QEMU after "),
        ("features: [blockdev-add/filename]", 23, "there is no QMP feature", "'filename' is an argument of"),
        ("accelerators: [kvmm]", 27, "there is no accelerator 'kvmm'", "did you mean 'kvm'?"),
        ("qemu: '>= 6.2', commands: [xyzzy]", 39, "there is no QMP command 'xyzzy'", "if a QEMU after "),
        ("qemu: '< 99', commands: [xyzzy]", 37, "there is no QMP command 'xyzzy'", "if a QEMU after "),
    ],
)
def test_a_name_that_no_qemu_has_is_an_error(
    run_steps: RunSteps, requires: str, column: int, message: str, hint: str
) -> None:
    run = run_steps("- launch", "--check", head=f"requires: {{{requires}}}")
    assert run.status == 2
    assert f"case.yaml:2:{column}: error: {message}" in run.stderr
    assert "the scenario would always be skipped" in run.stderr
    assert hint in run.stderr


@pytest.mark.parametrize(
    "requires",
    [
        "commands: [get-win32-socket]",
        "features: [query-migrationthreads/deprecated]",
        "accelerators: [hvf]",
        "qemu: '>= 99', commands: [xyzzy], features: [a/b], accelerators: [c]",
        f"qemu: '>= {NEWEST[0]}.{NEWEST[1] + 1}', commands: [xyzzy]",
    ],
)
def test_a_name_that_some_qemu_has_or_may_have_is_accepted(run_steps: RunSteps, requires: str) -> None:
    assert run_steps("- launch", "--check", head=f"requires: {{{requires}}}").status == 0


def test_a_name_of_the_qemu_under_test_is_accepted(run_steps: RunSteps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirement_checker, "COMMANDS", frozenset())
    monkeypatch.setattr(requirement_checker, "FEATURES", frozenset())
    run = run_steps("- launch", "--check", head="requires: {commands: [query-status], features: [stop/unknown]}")
    assert run.status == 2
    assert run.stderr.count("error:") == 1
    assert "error: there is no QMP feature 'stop/unknown'" in run.stderr


def test_requirements_are_checked_without_qemu(
    run_steps: RunSteps, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    for name in ("QEMU_PROG", "QEMU_IMG_PROG", "QEMU_IO_PROG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    run = run_steps("- launch", "--check", head="requires: {commands: [blockdev-adds, blockdev-add]}")
    assert run.status == 2
    assert run.stderr.count("error:") == 1


def test_the_known_names_are_complete() -> None:
    assert OLDEST < (7, 2, 0) < (11, 0, 0) < NEWEST
    assert {"query-status", "blockdev-set-active", "drive-backup", "x-blockdev-change"} <= COMMANDS
    assert {"BLOCK_JOB_COMPLETED", "JOB_STATUS_CHANGE"} <= EVENTS
    assert "blockdev-snapshot/allow-write-only-overlay" in FEATURES
