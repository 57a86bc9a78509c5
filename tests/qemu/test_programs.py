"""The programs of a build: which are used, and what they say of themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from run_scenarios.qemu.programs import TOOLS, Programs, find_programs

from tests.support.scenarios import RunSteps


def make_tools(directory: Path, version: str, *, objects: str = "iothread") -> Path:
    """Write a build of scripts that tell their version and the types of objects; return its QEMU."""
    directory.mkdir()
    for tool in TOOLS:
        name = "qemu-system-x86_64" if tool == "qemu" else tool
        script = directory / name
        script.write_text(
            f'#!/bin/sh\ncase "$*" in *help*) echo "{objects}";; *) echo "{name} version {version}";; esac\n'
        )
        script.chmod(0o755)
    return directory / "qemu-system-x86_64"


def test_tools_beside_the_qemu_of_the_environment_are_used(tmp_path: Path) -> None:
    qemu = make_tools(tmp_path / "new", "11.1.3")
    found = find_programs({}, {"PATH": os.environ["PATH"], "QEMU_PROG": str(qemu)})
    assert {Path(path).parent for path in found.paths.values()} == {tmp_path / "new"}
    assert found.mixture == ""


def test_the_variable_of_a_tool_comes_before_the_directory_of_qemu(tmp_path: Path) -> None:
    new, old = make_tools(tmp_path / "new", "11.1.3"), make_tools(tmp_path / "old", "7.2.22")
    environment = {"PATH": "", "QEMU_PROG": str(new), "QEMU_IMG_PROG": str(old.with_name("qemu-img"))}
    found = find_programs({}, environment)
    assert found["qemu-img"] == environment["QEMU_IMG_PROG"]
    assert found.mixture == "qemu-img 7.2.22"


def test_the_directory_of_a_named_qemu_comes_before_the_variables(tmp_path: Path) -> None:
    new, old = make_tools(tmp_path / "new", "11.1.3"), make_tools(tmp_path / "old", "7.2.22")
    environment = {"PATH": "", "QEMU_PROG": str(old), "QEMU_IMG_PROG": str(old.with_name("qemu-img"))}
    assert find_programs({"qemu": str(new)}, environment).mixture == ""


def test_tools_of_the_same_version_elsewhere_are_no_mixture(tmp_path: Path) -> None:
    first, second = make_tools(tmp_path / "first", "7.2.22"), make_tools(tmp_path / "second", "7.2.22")
    assert Programs({"qemu": str(first), "qemu-img": str(second.with_name("qemu-img"))}).mixture == ""


def test_monitors_are_objects_where_qemu_lists_them(tmp_path: Path) -> None:
    old, new = make_tools(tmp_path / "old", "10.0"), make_tools(tmp_path / "new", "11.1", objects="  monitor-qmp")
    assert find_programs({"qemu": str(old)}, {}).monitor_objects == frozenset()
    assert find_programs({"qemu": str(new)}, {}).monitor_objects == {"qemu", "qemu-storage-daemon"}


def test_a_mixture_is_named_at_the_start_and_in_the_reports(
    run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = find_programs({}, os.environ)["qemu-img"]
    other = tmp_path / "qemu-img"
    other.write_text(f'#!/bin/sh\n[ "$1" != --version ] || exec echo "qemu-img version 1.2.3"\nexec {real} "$@"\n')
    other.chmod(0o755)
    monkeypatch.setenv("QEMU_IMG_PROG", str(other))
    run = run_steps('- assert: "{{ 1 == 1 }}"')
    assert run.status == 0
    assert " is run with qemu-img 1.2.3\n" in run.stderr
    assert " with qemu-img 1.2.3" in run.stderr.splitlines()[-1]
