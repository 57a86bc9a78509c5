"""`--check` looks again only at what is new, has changed, or had something wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from run_scenarios.core.cache import locate_cache_file

from tests.support.scenarios import RunSteps

IMPORTS = "scenario: one\nimport: [procedures.yaml]\nsteps:\n  - call: stop\n"
ALONE = "scenario: two\nmatrix: {_size: [1, 2]}\nsteps:\n  - launch\n  - qmp: stop\n    expect: {}\n"
PROCEDURES = "procedures:\n  stop:\n    steps:\n      - launch\n      - qmp: stop\n        expect: {}\n"
LINTED = "scenario: three\nsteps:\n  - launch\n  - qmp: query-status\n    error: {$any: true}\n"
WRONG = "scenario: four\nsteps:\n  - lunch\n"


@pytest.fixture
def suite(tmp_path: Path, run_command: RunSteps, looked_at: list[str]) -> Path:
    """A directory of which everything has been checked."""
    directory = tmp_path / "suite"
    directory.mkdir()
    (directory / "alone.yaml").write_text(ALONE)
    (directory / "imports.yaml").write_text(IMPORTS)
    (directory / "procedures.yaml").write_text(PROCEDURES)
    assert run_command("--check", "suite").status == 0
    assert len(looked_at) == 3
    looked_at.clear()
    return directory


def test_what_nothing_has_changed_for_is_not_looked_at(
    suite: Path, looked_at: list[str], run_command: RunSteps
) -> None:
    (suite / "new.yaml").write_text(ALONE)
    assert run_command("--check", "suite").status == 0
    assert looked_at == ["suite/new.yaml", "suite/procedures.yaml"]
    looked_at.clear()
    assert run_command("--check", "suite/alone.yaml", "suite/imports.yaml").status == 0
    assert not looked_at


@pytest.mark.parametrize(
    ("file", "text", "again"),
    [
        ("alone.yaml", ALONE.replace("two", "six"), ["alone", "procedures"]),
        ("procedures.yaml", PROCEDURES.replace("qmp: stop", "qmp: cont"), ["imports", "procedures"]),
        ("procedures.yaml", PROCEDURES.replace("qmp: stop", "qmp: stopp"), ["imports", "procedures"]),
    ],
)
def test_what_has_changed_is_looked_at(
    file: str, text: str, again: list[str], suite: Path, looked_at: list[str], run_command: RunSteps
) -> None:
    """And a file of the same length, written at the same moment, has changed too."""
    moment = (suite / file).stat().st_mtime_ns
    (suite / file).write_text(text)
    os.utime(suite / file, ns=(moment, moment))
    done = run_command("--check", "suite")
    assert looked_at == [f"suite/{name}.yaml" for name in again]
    assert done.status == (2 if "stopp" in text else 0)


@pytest.mark.parametrize("text", [LINTED, WRONG])
def test_what_was_found_is_found_again(text: str, suite: Path, run_command: RunSteps) -> None:
    (suite / "found.yaml").write_text(text)
    first = run_command("--check", "suite")
    assert "suite/found.yaml:" in first.stderr
    (suite / "alone.yaml").write_text(ALONE.replace("two", "six"))
    assert run_command("--check", "suite") == first


def test_procedures_are_no_scenario_however_often_they_were_checked(suite: Path, run_command: RunSteps) -> None:
    done = run_command("--check", "suite/procedures.yaml")
    assert done.status == 2
    assert "holds procedures and no scenario" in done.stderr


def test_a_case_that_is_asked_for_is_looked_for(suite: Path, run_command: RunSteps) -> None:
    assert run_command("--check", "suite/alone.yaml::_size=1").status == 0
    assert "there is no case '_size=3'" in run_command("--check", "suite/alone.yaml::_size=3").stderr
    assert run_command("--check", "suite/alone.yaml::_size=1", "suite").status == 0


@pytest.mark.parametrize("options", [["-D", "_size=1"], ["--allow-outside"]])
def test_under_other_options_everything_is_looked_at(
    options: list[str], suite: Path, looked_at: list[str], run_command: RunSteps
) -> None:
    assert run_command("--check", *options, "suite").status == 0
    assert len(looked_at) == 3


def another_qemu(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QEMU_NBD_PROG", "/bin/true")


def another_version(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("run_scenarios.collection.cache_key._code", lambda: ["another"])


def no_json(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locate_cache_file("checked", str(suite.parent)).write_text('{"x": ')


def other_json(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = locate_cache_file("checked", str(suite.parent))
    file.write_text(json.dumps({**json.loads(file.read_text()), "right": 5}))


@pytest.mark.parametrize("change", [another_qemu, another_version, no_json, other_json])
def test_what_cannot_be_known_is_looked_at(
    change: Any, suite: Path, looked_at: list[str], run_command: RunSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(suite, monkeypatch)
    (suite / "new.yaml").write_text(ALONE)
    assert run_command("--check", "suite").status == 0
    assert len(looked_at) == 4


def test_without_a_check_of_qmp_nothing_is_known(
    tmp_path: Path, looked_at: list[str], run_command: RunSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(ALONE)
    monkeypatch.setenv("QEMU_PROG", "/bin/false")
    for _ in range(2):
        looked_at.clear()
        assert "QMP was not checked" in run_command("--check", "a.yaml").stderr
        assert looked_at == ["a.yaml"]


def test_a_file_that_is_gone_is_forgotten(suite: Path, run_command: RunSteps) -> None:
    (suite / "imports.yaml").unlink()
    (suite / "new.yaml").write_text(ALONE)
    run_command("--check", "suite")
    kept = json.loads(locate_cache_file("checked", str(suite.parent)).read_text())["right"]
    assert sorted(kept) == [str(suite / "alone.yaml"), str(suite / "new.yaml")]
