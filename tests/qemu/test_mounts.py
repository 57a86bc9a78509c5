"""FUSE exports that outlive their QEMU."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support import command
from tests.support.scenarios import RunSteps

EXPORT = """
        - create-image: {file: disk.raw, size: 1M}
        - create-image: {file: "the mount", format: raw, size: 0}
        - launch: {blockdev: [{driver: file, node-name: n, filename: disk.raw}]}
        - qmp:
            execute: block-export-add
            arguments: {type: fuse, id: e, node-name: n, mountpoint: the mount}
"""
needs_fuse = pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="FUSE cannot be used here")


def list_mounts(directory: Path) -> list[str]:
    """Return the lines of the mounts below a directory."""
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(directory) in line]


@needs_fuse
@pytest.mark.parametrize("options", [(), ("--keep", "--artifacts", "kept")])
def test_the_mount_of_a_killed_qemu_does_not_stay(
    run_steps: RunSteps, tmp_path: Path, test_dir: Path, options: tuple[str, ...]
) -> None:
    run = run_steps(f"{EXPORT}        - kill\n", *options)
    assert run.status == 0, run.stdout + run.stderr
    assert list_mounts(tmp_path) == []
    assert list(test_dir.iterdir()) == []


@needs_fuse
def test_the_mount_does_not_stay_if_the_runner_is_killed(
    tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = "\n".join(line[6:] for line in EXPORT.splitlines())
    Path("mounted.yaml").write_text(f"scenario: mounted\nsteps:\n{lines}\n  - wait-event: STOP\n")
    running = command.start("mounted.yaml")
    command.eventually(lambda: list_mounts(test_dir), "the export to be mounted")
    running.send(signal.SIGKILL)
    running.finish()
    command.eventually(lambda: not list_mounts(test_dir), "the mount to go")
    command.eventually(lambda: not list(test_dir.iterdir()), "the directory to go")
