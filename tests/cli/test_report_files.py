"""Reports and artifacts never replace anything but those of an earlier run."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support import command
from tests.support.command import PASSES
from tests.support.scenarios import RunSteps

REPORTS = ["--tap", "--junit", "--html", "--json", "--save-durations"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with scenarios and a file of the user's."""
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(PASSES)
    (tmp_path / "precious.txt").write_text("precious")
    return tmp_path


@pytest.mark.parametrize("option", REPORTS)
@pytest.mark.parametrize("file", ["a.yaml", "precious.txt", "empty.yaml", "link"])
def test_a_file_that_is_not_a_report_is_not_overwritten(
    run_command: RunSteps, place: Path, option: str, file: str
) -> None:
    (place / "empty.yaml").touch()
    (place / "link").symlink_to("precious.txt")
    before = (place / file).read_text()
    run = run_command(option, file, "b.yaml")
    message = f"{option} {file}: the file exists and is not an earlier report of this kind"
    assert (run.status, run.stdout, run.stderr) == (2, "", f"run-scenarios: error: {message}\n")
    assert (place / file).read_text() == before


@pytest.mark.parametrize("option", REPORTS)
def test_an_earlier_report_and_an_empty_file_are_replaced(run_command: RunSteps, place: Path, option: str) -> None:
    (place / "report").touch()
    assert run_command(option, "report", "a.yaml").status == 0
    first = (place / "report").read_text()
    assert run_command(option, "report", "a.yaml", "b.yaml").status == 0
    assert len((place / "report").read_text()) > len(first) > 0
    assert sorted(each.name for each in place.glob("report*")) == ["report"]


def test_a_report_of_another_kind_is_not_replaced(run_command: RunSteps, place: Path) -> None:
    assert run_command("--junit", "report", "a.yaml").status == 0
    assert run_command("--tap", "report", "a.yaml").status == 2


def test_a_saved_schema_replaces_only_a_saved_schema(run_command: RunSteps, place: Path) -> None:
    assert run_command("--save-qmp-schema", "precious.txt").status == 2
    assert (place / "precious.txt").read_text() == "precious"
    assert [run_command("--save-qmp-schema", "qmp.json").status for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("option", REPORTS[:4])
def test_a_report_is_written_through_a_link(run_command: RunSteps, place: Path, option: str) -> None:
    (place / "link").symlink_to("report")
    assert [run_command(option, "link", "a.yaml").status for _ in range(2)] == [0, 0]
    assert (place / "link").is_symlink()
    assert (place / "report").stat().st_size > 0


@pytest.mark.parametrize("option", REPORTS[1:4])
def test_standard_output_can_be_named_as_a_file(place: Path, option: str) -> None:
    (place / "stdout").symlink_to("/proc/self/fd/1")
    with (place / "out").open("w") as out:
        program = [*command.PROGRAM, "a.yaml", "--tap", "t", option, "stdout"]
        environment = {**os.environ, "PYTHONPATH": command.PYTHON_PATH}
        subprocess.run(program, stdout=out, env=environment, check=True)
    assert (place / "stdout").is_symlink()
    assert (place / "out").stat().st_size > 0
    assert "1..1" in (place / "t").read_text()


def test_a_report_does_not_share_standard_output_with_tap(place: Path) -> None:
    run = command.run("a.yaml", "--json", "/dev/stdout")
    message = "--json /dev/stdout: this is also the file of the TAP report on standard output"
    assert (run.status, run.stdout, run.stderr) == (2, "", f"run-scenarios: error: {message}\n")


@pytest.mark.slow
def test_runs_with_the_same_reports_and_artifacts_do_not_break_each_other(place: Path) -> None:
    options = ["--tap", "t", "--junit", "x", "--json", "j", "--artifacts", "kept"]
    runs = [command.start("a.yaml", "b.yaml", *options) for _ in range(3)]
    assert [each.finish(60).status for each in runs] == [0, 0, 0]
    assert (place / "t").read_text().count("\nok ") == 2
    assert json.loads((place / "j").read_text().splitlines()[-1])["event"] == "run-finished"
    assert sorted(each.name for each in (place / "kept").iterdir()) == ["a", "b"]
    assert sorted(place.glob("*.part")) == []


def test_artifacts_replace_only_those_of_an_earlier_run(run_command: RunSteps, place: Path) -> None:
    (place / "a").mkdir()
    (place / "a/data.txt").write_text("precious")
    run = run_command("--artifacts", ".", "a.yaml")
    assert (run.status, run.points[-1].name) == (2, "runner setup")
    assert "--artifacts: a exists and is not from an earlier run" in run.stderr
    assert (place / "a/data.txt").read_text() == "precious"
    assert run_command("--artifacts", ".", "b.yaml").status == 0
    (place / "b/old").touch()
    assert run_command("--artifacts", ".", "b.yaml").status == 0
    assert not (place / "b/old").exists()
    assert (place / "b/trace.jsonl").exists()
