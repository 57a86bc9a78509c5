"""The artifacts of a failed case, and those of a passing one."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from run_scenarios.execution import postmortem

from tests.support.scenarios import RunSteps, trace_of

BITMAP = """
- create-image: {file: base.qcow2, size: 1M}
- create-image: {file: d.qcow2, backing: base.qcow2}
- launch: {drives: [{id: drive0, file: d.qcow2, format: qcow2, node-name: node0}]}
- qmp: {execute: block-dirty-bitmap-add, arguments: {node: node0, name: bitmap0}}
"""
FAILS = '- assert: "{{ 1 == 2 }}"\n'


@pytest.fixture
def left(run_steps: RunSteps, tmp_path: Path) -> Any:
    """Run steps that fail, and return the directory of artifacts."""

    def run(steps: str, *options: str) -> Path:
        result = run_steps(steps, "--artifacts", str(tmp_path / "kept"), *options)
        assert result.status == 1, result.stderr
        return Path(result.only.block["artifacts"])

    return run


def content(file: Path) -> Any:
    return json.loads(file.read_text())


def test_the_state_of_each_vm_and_image_is_kept(left: Any) -> None:
    kept = left(BITMAP + FAILS)
    assert content(kept / "vm.jobs.json")["jobs"] == []
    assert content(kept / "vm.block-jobs.json")["block-jobs"] == []
    assert [each["name"] for each in content(kept / "vm.bitmaps.json")["bitmaps"]["node0"]] == ["bitmap0"]
    assert "node0" in [each["node-name"] for each in content(kept / "vm.nodes.json")["nodes"]]
    assert content(kept / "vm.drives.json")["drives"][0]["device"] == "drive0"
    assert content(kept / "vm.graph.json")["asked"].endswith(" s, by the runner after the failure")
    info = content(kept / "qemu-img/d.qcow2.info.json")
    assert [each["filename"] for each in info] == ["d.qcow2", "base.qcow2"]
    assert content(kept / "qemu-img/base.qcow2.map.json")[0]["length"] == 1 << 20
    assert (kept / "reproduce.sh").stat().st_mode & stat.S_IXUSR


def test_graphviz_accepts_the_graph(left: Any) -> None:
    kept = left(BITMAP + FAILS)
    drawn = subprocess.run(["dot", "-Tplain", kept / "vm.graph.dot"], capture_output=True, text=True, check=True).stdout
    assert "node0" in drawn
    assert "backing" in drawn


def test_failure_txt_is_the_start_of_standard_error(run_steps: RunSteps) -> None:
    run = run_steps(FAILS)
    assert run.stderr.startswith(Path(run.only.block["artifacts"], "failure.txt").read_text())


def test_the_last_replies_of_a_dead_vm_are_kept(left: Any) -> None:
    kept = left(
        BITMAP
        + "- qmp: query-jobs\n- assert-bitmap: {node: node0, name: bitmap0, count: 0}\n- hmp: qemu-io node0 abort\n"
    )
    jobs = content(kept / "vm.jobs.json")
    assert jobs["jobs"] == []
    assert jobs["asked"].endswith(" s, by the case")
    assert "node0" in content(kept / "vm.bitmaps.json")["bitmaps"]
    assert not (kept / "vm.graph.json").exists()
    assert (kept / "qemu-img/d.qcow2.info.json").exists()


def test_the_state_of_a_storage_daemon_is_kept(left: Any) -> None:
    kept = left(
        """
        - create-image: {file: d.raw, size: 1M}
        - launch: {program: qemu-storage-daemon, blockdev: [{driver: file, node-name: node0, filename: d.raw}]}
          vm: daemon
        - assert: "{{ 1 == 2 }}"
        """
    )
    assert "node0" in [each["node-name"] for each in content(kept / "daemon.nodes.json")["nodes"]]


@pytest.mark.slow
def test_a_stopped_qemu_is_given_up(left: Any) -> None:
    kept = left(BITMAP + '- hmp: qemu-io node0 "sigraise 19"\n  timeout: 1s\n')
    assert (kept / "qemu-img/base.qcow2.info.json").exists()
    assert not (kept / "vm.graph.json").exists()


def test_images_are_not_inspected_if_a_link_leads_outside(
    left: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("secret")
    fake = tmp_path / "qemu-img"
    real = shutil.which("qemu-img")
    fake.write_text(f'#!/bin/sh\nln -s {tmp_path}/secret link\nexec {real} "$@"\n')
    fake.chmod(0o755)
    kept = left("- create-image: {file: d.qcow2, size: 1M}\n" + FAILS, "--qemu-img", str(fake))
    assert not (kept / "qemu-img").exists()


def test_errors_in_the_postmortem_do_not_change_the_result(
    run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise ValueError("a bug in run-scenarios")

    for name in ("query_vms", "inspect_images", "write_postmortem"):
        monkeypatch.setattr(postmortem, name, fail)
    run = run_steps(BITMAP + FAILS)
    assert (run.status, run.message) == (1, "step 5 (assert): the assertion is false")
    assert Path(run.only.block["artifacts"], "trace.jsonl").exists()


def test_a_passing_case_has_no_postmortem(run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postmortem, "write_postmortem", lambda *arguments: pytest.fail("nothing is kept"))
    assert run_steps(BITMAP).status == 0
    monkeypatch.undo()


def test_a_passing_case_keeps_its_trace_and_script_on_request(run_steps: RunSteps, tmp_path: Path) -> None:
    assert run_steps(BITMAP, "--artifacts", str(tmp_path / "kept")).status == 0
    names = sorted(each.name for each in (tmp_path / "kept/case").iterdir())
    assert names == [".run-scenarios", "reproduce.sh", "trace.jsonl", "vm.stderr", "vm.stdout"]
    asked = [each["data"]["execute"] for each in trace_of(tmp_path / "kept") if each["kind"] == "send"]
    assert asked == ["qmp_capabilities", "block-dirty-bitmap-add"]
