"""Answers to `--list` and `--check` are given again as long as nothing that they follow from has changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from run_scenarios.core.cache import locate_cache_file

from tests.support.scenarios import RunSteps

SCENARIO = "scenario: a test\nimport: [procedures.yaml]\nsteps:\n  - call: stop\n"
PROCEDURES = "procedures:\n  stop:\n    steps:\n      - launch\n      - qmp: stop\n"
NO_NAME = "scenario: another\nsteps:\n  - launch\n  - qmp: query-status\n    error: {$any: true}\n"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A directory with a scenario and the procedures that it imports."""
    directory = tmp_path / "suite"
    directory.mkdir()
    (directory / "a.yaml").write_text(SCENARIO)
    (directory / "procedures.yaml").write_text(PROCEDURES)
    return directory


@pytest.mark.parametrize("option", ["--list", "--check"])
def test_the_same_question_is_answered_without_a_closer_look(
    option: str, suite: Path, looked_at: list[str], run_command: RunSteps
) -> None:
    (suite / "b.yaml").write_text(NO_NAME)
    first = run_command(option, "suite")
    assert looked_at == ["suite/a.yaml", "suite/b.yaml", "suite/procedures.yaml"]
    assert run_command(option, "suite") == first
    assert len(looked_at) == 3
    assert "suite/a\n" in first.stdout if option == "--list" else "RS0" in first.stderr


def change_the_scenario(suite: Path) -> None:
    """Another title of the same length, at the same moment."""
    moment = (suite / "a.yaml").stat().st_mtime_ns
    (suite / "a.yaml").write_text(SCENARIO.replace("test", "text"))
    os.utime(suite / "a.yaml", ns=(moment, moment))


def change_what_it_imports(suite: Path) -> None:
    (suite / "procedures.yaml").write_text(PROCEDURES + "      - shutdown\n")


def add_a_scenario(suite: Path) -> None:
    (suite / "c.yaml").write_text(NO_NAME)


def remove_the_scenario(suite: Path) -> None:
    (suite / "a.yaml").unlink()


def break_the_cache(suite: Path) -> None:
    locate_cache_file("answers", str(suite.parent)).write_text('{"x": ')


@pytest.mark.parametrize(
    "change", [change_the_scenario, change_what_it_imports, add_a_scenario, remove_the_scenario, break_the_cache]
)
def test_what_has_changed_is_looked_at(change: Any, suite: Path, looked_at: list[str], run_command: RunSteps) -> None:
    run_command("--list", "suite")
    change(suite)
    looked_at.clear()
    run_command("--list", "suite")
    assert looked_at


@pytest.mark.parametrize("options", [["--strict"], ["-D", "x=1"], ["-k", "a"], ["--allow-empty"]])
def test_another_question_has_another_answer(
    options: list[str], suite: Path, looked_at: list[str], run_command: RunSteps
) -> None:
    (suite / "b.yaml").write_text(NO_NAME)
    run_command("--check", "suite")
    looked_at.clear()
    run_command("--check", *options, "suite")
    assert "suite/b.yaml" in looked_at


def test_another_qemu_has_another_answer(
    suite: Path, looked_at: list[str], run_command: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_command("--check", "suite")
    looked_at.clear()
    script = tmp_path / "qemu"
    script.write_text('#!/bin/sh\nexec "${REAL_QEMU:-qemu-system-x86_64}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("REAL_QEMU", os.environ.get("QEMU_PROG", "qemu-system-x86_64"))
    monkeypatch.setenv("QEMU_PROG", str(script))
    for _ in range(2):  # What a script starts may be something else each time.
        looked_at.clear()
        assert run_command("--check", "suite").status == 0
        assert looked_at


def test_what_is_wrong_is_looked_at_again(suite: Path, looked_at: list[str], run_command: RunSteps) -> None:
    (suite / "b.yaml").write_text("scenario: wrong\nstpes: []\n")
    first = run_command("--check", "suite")
    looked_at.clear()
    assert run_command("--check", "suite") == first
    assert first.status == 2
    assert looked_at


@pytest.mark.parametrize("option", ["--rerun-failed", "--changed"])
def test_what_else_it_follows_from_is_asked_each_time(
    option: str, suite: Path, looked_at: list[str], run_command: RunSteps
) -> None:
    subprocess.run(["git", "init", "-q", suite], check=True)
    run_command("--list", option, "suite")
    looked_at.clear()
    run_command("--list", option, "suite")
    assert looked_at


def test_an_answer_about_many_files_is_not_kept(
    suite: Path, looked_at: list[str], run_command: RunSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("run_scenarios.cli.answers.MOST_READ", 1)
    run_command("--list", "suite")
    looked_at.clear()
    run_command("--list", "suite")
    assert looked_at


def test_few_answers_are_kept(suite: Path, run_command: RunSteps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("run_scenarios.cli.answers.MOST_KEPT", 2)
    for word in "abc":
        run_command("--list", "-k", word, "suite")
    kept = locate_cache_file("answers", str(suite.parent)).read_text()
    assert [f'\\"{word}\\"' in kept for word in "abc"] == [False, True, True]
