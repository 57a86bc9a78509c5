"""Files that differ from a git revision, and the cases that use them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from run_scenarios.collection.git_changes import find_changed_files
from run_scenarios.core.errors import UsageError

from tests.support.scenarios import RunSteps

PASSES = "steps: [{assert: '{{ 1 == 1 }}'}]\n"


def git(*arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two scenarios, one of which imports a file; the working directory is below its top."""
    place = tmp_path / "repository/s"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    (place / "alone.yaml").write_text(f"scenario: a\n{PASSES}")
    (place / "user.yaml").write_text("scenario: u\nimport: [library.yaml]\nsteps: [{call: p}]\n")
    (place / "library.yaml").write_text(f"procedures:\n  p: {{{PASSES.strip()}}}\n")
    git("init", "-q", "..")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return place


def test_changed_and_new_files_are_found(repository: Path) -> None:
    files = [str(repository / name) for name in ("alone.yaml", "user.yaml", "new é.yaml")]
    assert find_changed_files(files, "HEAD") == set()
    (repository / "alone.yaml").write_text("x")
    (repository / "new é.yaml").write_text("x")
    assert find_changed_files(files, "HEAD") == {files[0], files[2]}
    git("add", ".")
    git("commit", "-q", "-m", "second")
    assert find_changed_files(files, "HEAD") == set()
    assert find_changed_files(files, "HEAD~1") == {files[0], files[2]}


def test_symbolic_links_are_followed(repository: Path, tmp_path: Path) -> None:
    (repository / "link.yaml").symlink_to("alone.yaml")
    git("add", ".")
    git("commit", "-q", "-m", "link")
    (tmp_path / "elsewhere").symlink_to(repository)
    files = [str(tmp_path / "elsewhere" / name) for name in ("alone.yaml", "link.yaml", "user.yaml")]
    assert find_changed_files(files, "HEAD") == set()
    (repository / "alone.yaml").write_text("x")
    assert find_changed_files(files, "HEAD") == {*files[:2]}
    git("commit", "-q", "-a", "-m", "changed")
    (repository / "link.yaml").unlink()
    (repository / "link.yaml").symlink_to("user.yaml")
    assert find_changed_files(files, "HEAD") == {files[1]}


def test_a_case_is_selected_if_an_import_has_changed(run_command: RunSteps, repository: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository)
        (repository / "library.yaml").write_text("# changed\n" + (repository / "library.yaml").read_text())
        assert run_command("--list", "--changed", ".").stdout == "user\n"
        assert run_command("--list", "--changed=HEAD", ".").stdout == "user\n"


def test_only_changed_files_are_audited(run_command: RunSteps, repository: Path) -> None:
    (repository / "library.yaml").write_text("# changed\n" + (repository / "library.yaml").read_text())
    run = run_command("--audit", "--changed", ".")
    assert [each.name for each in run.points] == ["user", "library.yaml (audit)"]


def test_no_changed_file_is_nothing_to_run(run_command: RunSteps, repository: Path) -> None:
    run = run_command("--changed", ".")
    assert run.status == 5
    assert "--changed=HEAD deselects all 2 cases" in run.stdout


def test_an_unknown_revision_is_wrong_usage(run_command: RunSteps, repository: Path) -> None:
    run = run_command("--changed=nowhere", ".")
    assert run.status == 2
    assert "--changed: unknown revision 'nowhere'" in run.stderr


def test_outside_a_repository_it_is_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="not a git repository"):
        find_changed_files([], "HEAD")


def test_without_git_it_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="--changed needs git"):
        find_changed_files([], "HEAD")
