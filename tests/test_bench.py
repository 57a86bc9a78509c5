"""The floor that a run is measured against does what the case did."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.floor import Diverged, read_trace, replay
from tests.support import RunSteps

STEPS = """
- create-image: {file: d.qcow2, size: 1M}
- launch: {drives: [{id: drive0, file: d.qcow2, format: qcow2}]}
- qmp: {execute: drive-backup, arguments: {job-id: job0, device: drive0, sync: full, target: copy.qcow2, format: qcow2}}
- wait-job: job0
- shutdown
- compare: [d.qcow2, copy.qcow2]
"""


@pytest.fixture
def trace_file(run_steps: RunSteps, tmp_path: Path) -> Path:
    """The trace of a case with a VM, a job and tools."""
    assert run_steps(STEPS, "--artifacts", str(tmp_path / "kept")).status == 0
    return tmp_path / "kept" / "case" / "trace.jsonl"


def test_a_trace_is_replayed(trace_file: Path, test_dir: Path) -> None:
    replay(read_trace(trace_file), times=2, workers=2)


def test_a_replay_that_goes_another_way_is_no_floor(trace_file: Path) -> None:
    trace_file.write_text(trace_file.read_text().replace('"compare"', '"cmpare"'))
    with pytest.raises(Diverged, match="ended with 1, not 0"):
        replay(read_trace(trace_file), times=1, workers=1)
