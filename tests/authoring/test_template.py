"""`--new` writes a scenario that passes as it is and breaks no lint rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from run_scenarios.authoring.template import TEMPLATE

from tests.support.scenarios import RunSteps

SCHEMA_LINE = "# yaml-language-server: $schema="


def test_a_new_scenario_passes_as_it_is(run_command: RunSteps, tmp_path: Path) -> None:
    new = run_command("--new", "deeper/down/my new.yaml")
    assert new.status == 0
    assert new.stdout == "wrote deeper/down/my new.yaml; run it: run-scenarios 'deeper/down/my new.yaml'\n"
    run = run_command("deeper/down/my new.yaml")
    assert run.status == 0, run.stderr
    assert [point.ok for point in run.points] == [True, True]
    assert [point.directive for point in run.points] == ["", ""]
    assert not run.stderr
    assert run_command("--check", "--strict", tmp_path).status == 0


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("dirty: [{at: 1M, size: 64k}]", "dirty: [{at: 1M, size: 128k}]"),
        ("$contains: nosuch", "$contains: another"),
        ("expect: {len: 67108864}", "expect: {len: 67108863}"),
        ("job.offset == job.len", "job.offset < job.len"),
        ("{byte: 0xab, at: 1M, size: 64k}, {byte", "{byte: 0xac, at: 1M, size: 64k}, {byte"),
    ],
)
def test_each_assertion_of_a_new_scenario_can_fail(
    part: str, wrong: str, run_command: RunSteps, tmp_path: Path
) -> None:
    assert TEMPLATE.count(part) == 1
    (tmp_path / "new.yaml").write_text(TEMPLATE.replace(part, wrong))
    run = run_command("new.yaml")
    assert run.status == 1
    assert not any(point.ok for point in run.points)


def test_a_new_scenario_refers_to_a_schema_above(run_command: RunSteps, tmp_path: Path) -> None:
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema/scenario.schema.json").touch()
    run_command("--new", "scenarios/backup/new.yaml")
    written = (tmp_path / "scenarios/backup/new.yaml").read_text()
    assert written == f"{SCHEMA_LINE}../../schema/scenario.schema.json\n{TEMPLATE}"


def test_a_new_scenario_without_a_schema_above(run_command: RunSteps, tmp_path: Path) -> None:
    run_command("--new", "new.yml")
    assert (tmp_path / "new.yml").read_text() == TEMPLATE


def test_an_existing_file_is_not_overwritten(run_command: RunSteps, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text("mine")
    run = run_command("--new", "new.yaml")
    assert run.status == 2
    assert not run.stdout
    assert run.stderr == "run-scenarios: error: 'new.yaml' already exists\n"
    assert (tmp_path / "new.yaml").read_text() == "mine"
    run = run_command("--new", "new.yaml/another.yaml")
    assert run.status == 2
    assert run.stderr == "run-scenarios: error: 'new.yaml' already exists\n"
    run = run_command("--new", "new.yaml/below/another.yaml")
    assert run.status == 2
    assert run.stderr == "run-scenarios: error: 'new.yaml/below' already exists\n"


def test_a_name_without_a_suffix_is_refused(run_command: RunSteps, tmp_path: Path) -> None:
    run = run_command("--new", "new")
    assert run.status == 2
    assert run.stderr == "run-scenarios: error: 'new' is not a name for a scenario: it must end in .yaml\n"
    assert [each.name for each in tmp_path.iterdir()] == ["test-dir"]


def test_the_lines_of_a_new_scenario_are_short() -> None:
    assert max(map(len, TEMPLATE.splitlines())) <= 120
    assert len(re.findall("^ *#", TEMPLATE, re.MULTILINE)) >= 6
