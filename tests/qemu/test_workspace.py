"""The directories of cases are created, kept and removed, and their names are unique."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from run_scenarios.core.errors import SetupError
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.workspace import MARKER, MAX_NAME_LENGTH, Workspace

from tests.report.hostile import hostile_texts


@pytest.fixture
def guardian() -> Iterator[Guardian]:
    """Start a guardian, and stop it after the test."""
    guardian = Guardian.start()
    yield guardian
    guardian.stop()


def kept_name(workspace: Workspace, name: str) -> str:
    """Return the name of the directory with the artifacts of a failed case."""
    directories = workspace.create(0)
    return Path(workspace.finish(directories, name, failed=True)).name


def test_a_case_works_in_an_empty_directory_that_is_removed(tmp_path: Path, guardian: Guardian) -> None:
    workspace = Workspace(tmp_path, None, False, guardian)
    directories = workspace.create(3)
    assert list(directories.work.iterdir()) == []
    assert workspace.finish(directories, "a", failed=False) == ""
    assert not directories.work.exists()
    workspace.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_removed_is_an_error(
    tmp_path: Path, guardian: Guardian, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path, None, False, guardian)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda path, ignore_errors: None)
        with pytest.raises(SetupError, match=f"cannot remove {tmp_path}/run-scenarios-"):
            workspace.remove()
    workspace.remove()


def test_a_failed_case_keeps_its_logs_but_not_its_images(tmp_path: Path, guardian: Guardian) -> None:
    workspace = Workspace(tmp_path, None, False, guardian)
    directories = workspace.create(0)
    (directories.logs / "trace.jsonl").touch()
    (directories.work / "d.qcow2").touch()
    kept = Path(workspace.finish(directories, "a", failed=True))
    workspace.remove()
    assert kept.parent.parent == tmp_path
    assert sorted(each.name for each in kept.iterdir()) == [MARKER, "trace.jsonl"]


def test_artifacts_of_an_earlier_run_are_replaced(tmp_path: Path, guardian: Guardian) -> None:
    (tmp_path / "kept/a").mkdir(parents=True)
    (tmp_path / "kept/a/old").touch()
    (tmp_path / "kept/a" / MARKER).touch()
    workspace = Workspace(tmp_path, tmp_path / "kept", True, guardian)
    directories = workspace.create(0)
    (directories.work / "d.qcow2").touch()
    workspace.finish(directories, "a", failed=False)
    workspace.remove()
    assert sorted(str(each.relative_to(tmp_path)) for each in tmp_path.glob("kept/a/**/*")) == [
        f"kept/a/{MARKER}",
        "kept/a/images",
        "kept/a/images/d.qcow2",
    ]


@pytest.mark.parametrize(
    ("name", "kept"), [("a", "a"), ("a/b-c.d", "a+b-c.d"), ("a/b[x=1,y=-2]", "a+b@x=1,y=-2"), ("s/x_1", "s+x_1")]
)
def test_file_names_stay_readable(tmp_path: Path, guardian: Guardian, name: str, kept: str) -> None:
    workspace = Workspace(tmp_path, None, False, guardian)
    assert kept_name(workspace, name) == kept
    workspace.remove()


def test_file_names_are_unique(tmp_path: Path, guardian: Guardian) -> None:
    alike = ["a/b", "a-b", "a+b", "a[b]", "a@b", "a b", "a  b", "../a", ".a", "-a", "a" * 300, "a" * 301, "x/[a]/b[c]"]
    names = [*alike, *(f"n{number}{text}" for number, text in enumerate(hostile_texts(50)))]
    workspace = Workspace(tmp_path, tmp_path / "kept", False, guardian)
    kept = [kept_name(workspace, name) for name in names]
    workspace.remove()
    assert len(set(kept)) == len(names)
    assert all(len(each) <= MAX_NAME_LENGTH + 9 and each.isascii() and each[0] not in ".-" for each in kept)
    assert {each.name for each in (tmp_path / "kept").iterdir()} == set(kept)


@pytest.mark.parametrize("artifacts", [True, False])
def test_a_directory_that_cannot_be_created_is_an_error(tmp_path: Path, guardian: Guardian, artifacts: bool) -> None:
    (tmp_path / "file").touch()
    wrong = tmp_path / "file/x"
    with pytest.raises(SetupError, match=r"cannot create .*file/x: Not a directory"):
        Workspace(tmp_path if artifacts else wrong, wrong if artifacts else None, False, guardian)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_artifacts_that_cannot_be_written_are_an_error(tmp_path: Path, guardian: Guardian) -> None:
    workspace = Workspace(tmp_path, tmp_path / "kept", False, guardian)
    directories = workspace.create(0)
    (tmp_path / "kept").rmdir()
    (tmp_path / "kept").touch()
    with pytest.raises(SetupError, match="cannot keep the artifacts of a: "):
        workspace.finish(directories, "a", failed=True)
    assert not directories.work.exists()
    workspace.remove()
