"""A program that a signal kills has crashed, whatever it printed and whatever the step expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.programs import install_program
from tests.support.scenarios import RunSteps

COMPLAINS_AND_CRASHES = 'REAL "$@" || kill -SEGV $$'
BITMAP_TWICE = """
- create-image: {file: a.qcow2, size: 1M}
- qemu-img: [bitmap, --add, a.qcow2, b0]
- qemu-img: [bitmap, --add, a.qcow2, b0]
"""
EXPECTED = "  error: {stderr: {$contains: Bitmap already exists}}"


def test_an_expected_error_and_a_crash_are_a_crash(run_steps: RunSteps, tmp_path: Path) -> None:
    program = install_program(tmp_path, "qemu-img", COMPLAINS_AND_CRASHES)
    assert run_steps(f"{BITMAP_TWICE}{EXPECTED}").status == 0
    run = run_steps(f"{BITMAP_TWICE}{EXPECTED}", "--qemu-img", str(program))
    assert run.status == 1
    assert run.only.block["reason"] == "qemu-crash"
    assert run.only.block["signal"] == "SIGSEGV"
    assert " bitmap was killed by SIGSEGV" in run.message


@pytest.mark.parametrize(
    ("error", "status"),
    [("{status: -11}", 0), ("{status: -6}", 1), ("{status: {$lt: 0}}", 1), ("{status: {$any: true}}", 1)],
)
def test_a_crash_is_expected_by_its_very_status_only(
    run_steps: RunSteps, tmp_path: Path, error: str, status: int
) -> None:
    program = install_program(tmp_path, "qemu-img", COMPLAINS_AND_CRASHES)
    assert run_steps(f"{BITMAP_TWICE}  error: {error}", "--qemu-img", str(program)).status == status


def test_a_qemu_that_crashes_instead_of_a_greeting_has_crashed(run_steps: RunSteps, tmp_path: Path) -> None:
    program = install_program(tmp_path, "qemu-system-x86_64", "echo 'no such device' >&2; kill -SEGV $$")
    steps = "- launch:\n  error: {stderr: {$contains: no such device}}\n"
    run = run_steps(steps, "--qemu", str(program))
    assert run.status == 1
    assert run.only.block["reason"] == "qemu-crash"
    assert run.message == "step 1 (launch): VM 'vm' was killed by SIGSEGV before its QMP greeting"


def test_eventually_does_not_repeat_a_crash(run_steps: RunSteps, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    script = f'[ $1 = create ] && exec REAL "$@"; echo $1 >>{calls}; kill -SEGV $$'
    program = install_program(tmp_path, "qemu-img", script)
    run = run_steps(
        """
        - create-image: {file: a.qcow2, size: 1M}
        - eventually: {within: 20s}
          steps:
            - check-image: a.qcow2
        """,
        "--qemu-img",
        str(program),
    )
    assert run.status == 1
    assert run.only.block["reason"] == "qemu-crash"
    assert calls.read_text().splitlines().count("check") == 1
