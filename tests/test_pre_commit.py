"""The hook for repositories of scenarios, with the real pre-commit, which installs us with pip as it does for users."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
# What `pip install` and pre-commit need of this repository, committed or not.
PARTS = (".pre-commit-hooks.yaml", "LICENSE", "README.md", "pyproject.toml", "runner", "schema")
GOOD = """\
scenario: a good one
steps:
  - create-image: {file: disk.qcow2, size: 1M}
  - image-info: disk.qcow2
    expect: {format: qcow2}
"""
BAD = GOOD.replace("create-image", "crate-image")
CONFIG = "repos:\n  - repo: {repo}\n    rev: {rev}\n    hooks:\n      - id: run-scenarios-check\n"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the user and the directories of git and pre-commit to ones of the test's own."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A Test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.com")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit"))


@pytest.mark.usefixtures("environment")
def test_a_wrong_scenario_cannot_be_committed(tmp_path: Path) -> None:
    hooks, mine = tmp_path / "hooks", tmp_path / "mine"
    scenarios = mine / "scenarios"
    scenarios.mkdir(parents=True)
    rev = _commit_ourselves(hooks)
    (mine / ".pre-commit-config.yaml").write_text(CONFIG.format(repo=hooks, rev=rev))
    (scenarios / "good.yaml").write_text(GOOD)
    (scenarios / "bad.yaml").write_text(BAD)
    _git(mine, "init", "--quiet")
    installed = subprocess.run(
        [sys.executable, "-m", "pre_commit", "install"], cwd=mine, capture_output=True, text=True
    )
    assert installed.returncode == 0, installed.stderr

    refused = _commit(mine)
    assert refused.returncode != 0
    assert "scenarios/bad.yaml:3:5: error: unknown verb 'crate-image'" in refused.stderr
    assert "good.yaml" not in refused.stderr

    (scenarios / "bad.yaml").write_text(GOOD)
    accepted = _commit(mine)
    assert accepted.returncode == 0, accepted.stderr
    assert "Passed" in accepted.stderr


def _commit_ourselves(directory: Path) -> str:
    """Make a repository of what is here, and return the name of its commit."""
    directory.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, directory / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, directory)
    _git(directory, "init", "--quiet")
    assert _commit(directory).returncode == 0
    return _git(directory, "rev-parse", "HEAD").stdout.strip()


def _commit(directory: Path) -> subprocess.CompletedProcess[str]:
    _git(directory, "add", "--all")
    return subprocess.run(["git", "commit", "--message", "all"], cwd=directory, capture_output=True, text=True)


def _git(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], cwd=directory, check=True, capture_output=True, text=True)
