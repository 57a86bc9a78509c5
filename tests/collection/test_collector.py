"""Collecting many files gives the same result in one process and in several."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest
from run_scenarios.collection import collector as module
from run_scenarios.collection.collector import Collection, collect
from run_scenarios.core.nodes import to_partial
from run_scenarios.scenario.case import Case
from run_scenarios.steps.verb import Step

TOP = Path(__file__).parents[2]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with every shipped scenario and every invalid one."""
    shutil.copytree(TOP / "scenarios", tmp_path / "scenarios")
    shutil.copytree(TOP / "tests" / "bad", tmp_path / "bad")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(collection: Collection) -> tuple[list[str], list[str], list[str]]:
    """Return the findings, invalid files and cases of a collection."""
    findings = [each.render() for each in collection.findings]
    return findings, [each.path for each in collection.invalid_files], [case.name() for case in collection.cases]


@pytest.mark.slow
def test_several_processes_find_the_same_as_one(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = shown(collect(["."]))
    monkeypatch.setattr(module, "MIN_FILES_PER_PROCESS", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2})
    assert shown(collect(["."])) == alone
    assert min(map(len, alone)) > 50


def written(steps: tuple[Step, ...]) -> list[object]:
    """Return steps as written, with their places."""
    return [(str(step.span), step.verb, to_partial(step.argument), written(step.body)) for step in steps]


@pytest.mark.slow
def test_a_collected_case_does_not_need_its_file(files: Path) -> None:
    cases = collect(["scenarios"]).cases
    before = [written(case.load().steps) for case in cases]
    travelled: list[Case] = pickle.loads(pickle.dumps(cases))
    shutil.rmtree(files / "scenarios")
    assert [written(case.load().steps) for case in travelled] == before
    assert all(case.load().procedures for case in travelled if "incremental-backup" in case.file.path)
