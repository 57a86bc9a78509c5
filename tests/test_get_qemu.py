"""`.ci/get-qemu`: the QEMUs that it fetched run as if installed, and it fetches nothing it need not fetch."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GET_QEMU = ROOT / ".ci" / "get-qemu"
PROGRAMS = ("qemu-system-x86_64", "qemu-img", "qemu-io", "qemu-nbd", "qemu-storage-daemon")
VERSIONS = ("7.2", "10.0", "11.1")


@pytest.fixture(params=VERSIONS)
def unpacked(request: pytest.FixtureRequest) -> Path:
    """The directory of a QEMU that was fetched before, by `make run-qemu`."""
    directory: Path = ROOT / ".qemu" / request.param
    if not (directory / "bin").is_dir() or not (directory / "root").is_dir():
        pytest.skip(f"QEMU {request.param} is not unpacked in .qemu")
    return directory


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that comes first on PATH, with an apt-get that reaches no mirror."""
    directory = tmp_path / "path"
    directory.mkdir()
    write_script(directory / "apt-get", "echo 'apt-get: no mirror' >&2; exit 100")
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory


def write_script(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def install(directory: Path, version: str) -> None:
    for name in PROGRAMS:
        write_script(directory / name, f"echo '{name} version {version}'")


def get_qemu(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([GET_QEMU, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("arguments", [(), ("11.1",), ("11", "qemu"), ("", "qemu")])
def test_a_wrong_command_line_prints_the_versions(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = get_qemu(*arguments)
    assert done.returncode == 1
    assert done.stderr == f"get-qemu: usage: get-qemu VERSION DIR, where VERSION is {' or '.join(VERSIONS)}\n"
    assert not list(tmp_path.iterdir())


def test_programs_on_path_are_used_if_they_are_of_the_version(offline: Path, tmp_path: Path) -> None:
    install(offline, "10.0.99")
    done = get_qemu("10.0", tmp_path / "qemu")
    assert done.returncode == 0, done.stderr
    links = {link.name: link.readlink() for link in (tmp_path / "qemu" / "bin").iterdir()}
    assert links == {name: offline / name for name in PROGRAMS}


def test_programs_of_several_versions_are_not_mixed(offline: Path, tmp_path: Path) -> None:
    install(offline, "10.0.99")
    write_script(offline / "qemu-nbd", "echo 'qemu-nbd version 7.2.22'")
    done = get_qemu("10.0", tmp_path / "qemu")
    assert done.returncode == 1
    assert "apt-get: no mirror" in done.stderr


def test_links_to_programs_that_have_been_upgraded_are_replaced(offline: Path, tmp_path: Path) -> None:
    install(offline, "10.0.99")
    assert get_qemu("10.0", tmp_path / "qemu").returncode == 0
    install(offline, "100.0.0")
    done = get_qemu("10.0", tmp_path / "qemu")
    assert done.returncode == 1
    assert "apt-get: no mirror" in done.stderr
    assert not {"bin", "bin.new", "apt"} & {each.name for each in (tmp_path / "qemu").iterdir()}


def test_nothing_is_fetched_twice(unpacked: Path, offline: Path, tmp_path: Path) -> None:
    link = tmp_path / "qemu" / "bin"
    link.parent.mkdir()
    link.symlink_to(unpacked / "bin")
    done = get_qemu(unpacked.name, link.parent)
    assert done.returncode == 0, done.stderr
    assert link.readlink() == unpacked / "bin"


@pytest.fixture
def qemu(unpacked: Path) -> Iterator[subprocess.Popen[str]]:
    """A VM that needs a module, option ROMs, firmware and a keymap."""
    command: list[str | Path] = [
        unpacked / "bin" / "qemu-system-x86_64",
        *("-machine", "q35", "-accel", "tcg", "-nodefaults", "-S", "-qmp", "stdio"),
        *("-device", "virtio-vga", "-device", "e1000,netdev=net", "-netdev", "user,id=net", "-vnc", "none", "-k", "de"),
        *("-blockdev", "driver=null-co,node-name=disk", "-device", "virtio-blk-pci,drive=disk"),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def query_version(qemu: subprocess.Popen[str]) -> dict[str, int]:
    assert qemu.stdin and qemu.stdout
    qemu.stdin.write('{"execute": "qmp_capabilities"}{"execute": "query-version"}')
    qemu.stdin.flush()
    *_, answer = (json.loads(qemu.stdout.readline() or "{}") for _ in range(3))
    version: dict[str, int] = answer["return"]["qemu"]
    return version


def test_a_vm_runs_from_what_was_unpacked(unpacked: Path, qemu: subprocess.Popen[str]) -> None:
    version = query_version(qemu)
    assert f"{version['major']}.{version['minor']}" == unpacked.name
    process = Path("/proc") / str(qemu.pid)
    assert (process / "exe").readlink() == unpacked.resolve() / "root/usr/bin/qemu-system-x86_64"
    libraries = set(re.findall(r"/\S+\.so\S*", (process / "maps").read_text()))
    assert any("virtio-vga.so" in each for each in libraries)
    assert not [each for each in libraries if not each.startswith(f"{unpacked.resolve()}/root/")]


def test_the_drivers_of_all_protocols_load(unpacked: Path) -> None:
    for protocol in ("http", "iscsi", "nfs", "rbd", "ssh"):
        command: list[str | Path] = [unpacked / "bin" / "qemu-img", "info", "--image-opts", f"driver={protocol}"]
        refused = subprocess.run(command, capture_output=True, text=True).stderr
        assert "Unknown driver" not in refused
