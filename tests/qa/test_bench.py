"""The references of the benchmarks do all of the work that they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa.bench import parse
from qa.bench.floor import Diverged, read_trace, replay
from qa.bench.suite import write_suite
from tests.support.scenarios import RunSteps

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


def test_a_diverging_replay_is_an_error(trace_file: Path) -> None:
    trace_file.write_text(trace_file.read_text().replace('"compare"', '"cmpare"'))
    with pytest.raises(Diverged, match="ended with 1, not 0"):
        replay(read_trace(trace_file), times=1, workers=1)


def test_every_file_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_suite(tmp_path, 3)
    monkeypatch.setattr("sys.argv", ["parse", str(tmp_path)])
    parse.main()
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(AssertionError, match="each is a mapping"):
        parse.main()
