"""The verb `kill`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from run_scenarios.core.errors import MachineDied
from run_scenarios.steps.kill import Kill

from tests.support.scenarios import RunSteps, trace_of


def test_qemu_is_killed_as_by_a_power_failure(run_steps: RunSteps, tmp_path: Path) -> None:
    run = run_steps(
        """
        - create-image: {file: a.raw, size: 1M}
        - launch: {drives: [{id: drive0, file: a.raw, format: raw}]}
        - write: {device: drive0, patterns: [{byte: 1, at: 0, size: 512}]}
        - kill
        - read: {file: a.raw, patterns: [{byte: 1, at: 0, size: 512}]}
        """,
        "--artifacts",
        tmp_path / "kept",
    )
    assert run.status == 0, run.stderr
    ends = [
        record["data"] for record in trace_of(tmp_path / "kept") if (record["kind"], record["vm"]) == ("exit", "vm")
    ]
    assert ends == [-9]


def test_a_vm_that_has_ended_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - shutdown
        - kill
    """)
    assert run.status == 1
    assert run.message == "step 3 (kill): VM 'vm' has ended (status 0)"


def test_a_vm_that_was_never_launched_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - kill:
          vm: source
    """)
    assert run.status == 1
    assert run.message == "step 1 (kill): VM 'source' has not been launched"


async def _death() -> MachineDied:
    return MachineDied("VM 'vm' was killed by SIGABRT", -6)


CRASHED = SimpleNamespace(exitcode=-6, is_running=False, has_crashed=True, exited_as_expected=False, exit_error=_death)


def test_a_crash_is_not_covered_by_it() -> None:
    context = SimpleNamespace(vm_name="vm", machines={"vm": CRASHED})
    with pytest.raises(MachineDied, match="VM 'vm' was killed by SIGABRT"):
        asyncio.run(Kill().run(cast(Any, context)))
