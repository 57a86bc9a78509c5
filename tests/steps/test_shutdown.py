"""The verb `shutdown`."""

from __future__ import annotations

from pathlib import Path

from tests.support.scenarios import RunSteps, trace_of


def test_qemu_quits_with_status_0(run_steps: RunSteps, tmp_path: Path) -> None:
    run = run_steps(
        """
        - launch
        - launch:
          vm: other
        - shutdown
        - qmp: query-status
          vm: other
          expect: {status: running}
        """,
        "--artifacts",
        tmp_path / "kept",
    )
    assert run.status == 0, run.stderr
    records = [record for record in trace_of(tmp_path / "kept") if record["vm"] == "vm"]
    assert "quit" in [record["data"]["execute"] for record in records if record["kind"] == "send"]
    # Its end and its last words may be noticed in any order.
    assert [each["data"] for each in records if each["kind"] == "exit"] == [0]


def test_a_vm_that_was_shut_down_is_not_shut_down_again(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - shutdown
        - shutdown
    """)
    assert run.status == 1
    assert run.message == "step 3 (shutdown): VM 'vm' has ended (status 0)"
    assert run.only.block["hint"] == "launch it again"


def test_a_vm_that_crashed_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch: {blockdev: [{driver: null-co, node-name: node0}]}
        - eventually: {within: 10s}
          steps:
            - hmp: qemu-io node0 abort
        - shutdown
    """)
    assert run.status == 1
    assert run.message == "step 3 (hmp): VM 'vm' was killed by SIGABRT"
    assert run.only.block["reason"] == "qemu-crash"


def test_a_vm_that_was_never_launched_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - shutdown
    """)
    assert run.status == 1
    assert run.message == "step 1 (shutdown): VM 'vm' has not been launched"
    assert run.only.block["hint"] == "launched so far: none"
