"""The content model against the images that the shipped scenarios leave behind."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_scenarios.cli.main import main
from run_scenarios.execution.case_runner import CaseRunner
from run_scenarios.execution.step_runner import StepRunner

pytestmark = pytest.mark.slow

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FOLDERS = ("backup-iothreads", "commit", "images", "incremental-backup", "mirror", "stream")
MAX_SIZE = 256 << 20


def find_differences(steps: StepRunner) -> Iterator[str]:
    """Yield the ranges in which an image has a byte that the model excludes, and yield "" for each image compared."""
    directory, images = steps.directories.work, steps.disks.images
    for vm in list(steps.machines):
        steps.disks.end(vm, cleanly=True)
    for name in images.names:
        size = images.get(name).size
        if size is None or size > MAX_SIZE or images.get(name).is_opaque:
            continue
        command = ["convert", "-f", images.get(name).format, "-O", "raw", name, "content.raw"]
        subprocess.run([steps.task.programs["qemu-img"], *command], cwd=directory, check=True)
        found = (directory / "content.raw").read_bytes()
        yield "" if len(found) == size else f"{name} has {len(found)} bytes, not {size}"
        for start, end, cell in images.read(name).iterate(0, size):
            allowed = None if cell.now is None else bytes(each.byte for each in cell.now if each.byte is not None)
            if allowed is not None and found[start:end].translate(None, allowed):
                yield f"{name}, {start} to {end}: expected one of {cell.now}"


def test_no_image_holds_a_byte_that_the_model_excludes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compared: list[str] = []
    run_to_the_end = CaseRunner._run_steps_and_shutdown

    async def run_and_compare(self: CaseRunner, steps: StepRunner) -> None:
        await run_to_the_end(self, steps)
        compared.extend(f"{self._task.point.name}: {each}" if each else "" for each in find_differences(steps))

    monkeypatch.setattr(CaseRunner, "_run_steps_and_shutdown", run_and_compare)
    assert main([str(SCENARIOS / folder) for folder in FOLDERS]) in (0, 1), capsys.readouterr().err
    assert len(compared) > 100
    assert [each for each in compared if each] == []
