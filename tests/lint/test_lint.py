"""Each rule finds what it is about, and nothing else: files in `lint/`, the findings on a bad one in its .txt.

`UPDATE_GOLDEN=1` writes the findings anew; read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from run_scenarios.authoring.explain import UnknownTopic, explain, render_rule_reference
from run_scenarios.authoring.reference import render_step_reference
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.errors import ScenarioError
from run_scenarios.lint import lint_library, lint_scenario
from run_scenarios.lint.rules import BY_CODE, RULES, Rule
from run_scenarios.scenario.dry_run import dry_run, dry_run_procedures
from run_scenarios.scenario.model import InvalidFile, Library
from run_scenarios.scenario.parser import Reader
from run_scenarios.steps import VERBS

from tests.support.scenarios import RunSteps, plan_cases, write_scenario

LINT = Path(__file__).parent
TOP = Path(__file__).parents[2]
SHIPPED = sorted((TOP / "scenarios").rglob("*.yaml"))
CODE = re.compile(r"RS[0-9]{3}")


def files(kind: str) -> list[Path]:
    """Return the files of one kind, "bad" or "good"."""
    return sorted(LINT.glob(f"*-{kind}.yaml"))


def findings(file: Path) -> list[Diagnostic]:
    """Return the warnings on a file in which nothing else is wrong."""
    read = Reader.from_disk().read(file, file.name)
    assert not isinstance(read, InvalidFile), "\n".join(each.render() for each in read.diagnostics)
    if isinstance(read, Library):
        return lint_library(read, dry_run_procedures(read.own.values()))
    plan_cases(read)
    return lint_scenario(read, dry_run(read))


def shown(found: list[Diagnostic]) -> str:
    """Return warnings as the command prints them."""
    return "".join(f"{each.render()}\n" for each in found)


@pytest.mark.parametrize("file", files("bad"), ids=lambda file: file.stem)
def test_a_rule_finds_what_breaks_it(file: Path) -> None:
    golden, found = file.with_suffix(".txt"), findings(file)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(shown(found))
    assert shown(found) == golden.read_text()
    assert CODE.match(file.stem).group() in {each.code for each in found}  # type: ignore[union-attr]
    assert {each.severity for each in found} == {"warning"}


@pytest.mark.parametrize("file", files("good"), ids=lambda file: file.stem)
def test_a_rule_finds_nothing_else(file: Path) -> None:
    assert not shown(findings(file))


def test_every_rule_has_a_bad_and_a_good_file() -> None:
    for kind in ("bad", "good"):
        assert {file.stem[:5] for file in files(kind)} == set(BY_CODE)
    assert {file.stem for file in LINT.glob("*.txt")} == {file.stem for file in files("bad")}


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: str(file.relative_to(TOP)))
def test_a_shipped_scenario_breaks_no_rule(file: Path) -> None:
    assert not shown(findings(file))


def example(directory: Path, text: str) -> Path:
    """Write a rule's example as a scenario, and return its file."""
    if text.lstrip().startswith("- "):
        return write_scenario(directory, text.lstrip())
    file = directory / "case.yaml"
    file.write_text(f"scenario: an example\n{text}")
    return file


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_examples_of_a_rule_are_what_they_say(rule: Rule, tmp_path: Path) -> None:
    assert {each.code for each in findings(example(tmp_path, rule.bad))} >= {rule.code}
    assert not shown(findings(example(tmp_path, rule.good)))


def test_what_the_loader_refuses_carries_the_rule_too(tmp_path: Path) -> None:
    for steps in ("- flush: {{ drive }}", "- compare: [{{ image }}, b.qcow2]"):
        read = Reader.from_disk().read(write_scenario(tmp_path, steps), "case.yaml")
        assert isinstance(read, InvalidFile)
        assert read.diagnostics[0].render().startswith("case.yaml:3:")
        assert ": error[RS002]: " in read.diagnostics[0].render()


def test_warnings_are_printed_and_change_no_status(run_steps: RunSteps) -> None:
    steps = "- create-image: {file: a.qcow2, size: 1M}\n- compare: [a.qcow2, a.qcow2]"
    run = run_steps(steps)
    assert run.status == 0
    assert run.only.ok
    assert "case.yaml:4:24: warning[RS009]: an image is compared with itself\n    4 |" in run.stderr
    assert run_steps(steps, "--check").status == 0
    assert run_steps(steps, "--check").stderr == run.stderr


def test_strict_makes_a_warning_a_mistake(run_steps: RunSteps) -> None:
    assert run_steps("- compare: [a.qcow2, a.qcow2]", "--check", "--strict").status == 2
    assert run_steps("- compare: [a.qcow2, b.qcow2]", "--check", "--strict").status == 0
    silenced = "- compare: [a.qcow2, a.qcow2]  # lint: RS009 it opens one image twice"
    assert run_steps(silenced, "--check", "--strict").status == 0


def test_strict_goes_with_check(run_command: RunSteps, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run_command("--strict", "scenarios")
    assert stop.value.code == 2
    assert "--strict does nothing without --check" in capsys.readouterr().err


def test_warnings_and_mistakes_are_sorted_together(run_command: RunSteps, tmp_path: Path) -> None:
    for name, step in (("a", "compare: [a.qcow2, a.qcow2]"), ("b", "comparee: []"), ("c", "compare: [a.raw, a.raw]")):
        (tmp_path / f"{name}.yaml").write_text(f"scenario: a test\nsteps:\n  - {step}\n")
    run = run_command("--check", tmp_path)
    heads = [line.split(" ")[:2] for line in run.stderr.split("\n") if line[:1] in "abc" and line]
    assert run.status == 2
    assert heads == [
        ["a.yaml:3:24:", "warning[RS009]:"],
        ["b.yaml:3:5:", "error:"],
        ["c.yaml:3:22:", "warning[RS009]:"],
    ]


def test_every_case_counts_though_one_is_run(run_steps: RunSteps, run_command: RunSteps) -> None:
    steps = "- create-image: {file: a.qcow2, size: 1M}\n- compare: ['{{ image }}.qcow2', a.qcow2]"
    run_steps(steps, "--check", head="matrix: {image: [a, b]}")
    run = run_command("case.yaml::image=a")
    assert run.status == 0
    assert not run.stderr


@pytest.mark.parametrize("word", [*BY_CODE, "rs007", "job-never-awaited", *VERBS])
def test_a_rule_or_verb_is_explained(word: str, run_command: RunSteps) -> None:
    run = run_command("--explain", word)
    assert run.status == 0
    assert run.stdout == f"{explain(word)}\n"
    assert "```yaml\n" in run.stdout
    assert run.stdout.strip() in (render_step_reference() if word in VERBS else render_rule_reference())


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("RS07", "did you mean 'RS017'?"),
        ("rs07", "did you mean 'RS017'?"),
        ("wait-jobs", "did you mean 'wait-job'?"),
        ("job-never-awaitet", "did you mean 'job-never-awaited'?"),
        ("x", "rules: RS001 to RS018; verbs: assert, "),
        ("", "rules: RS001 to RS018; verbs: assert, "),
    ],
)
def test_another_word_is_not_explained(word: str, hint: str, run_command: RunSteps) -> None:
    with pytest.raises(UnknownTopic):
        explain(word)
    run = run_command("--explain", word)
    assert run.status == 2
    assert not run.stdout
    assert run.stderr.startswith(f"run-scenarios: error: there is neither a rule nor a verb '{word}'; {hint}")


def test_the_reference_of_rules_is_up_to_date(run_command: RunSteps) -> None:
    run = run_command("--print-rules")
    assert run.status == 0
    assert run.stdout == (TOP / "docs/lint.md").read_text(), "write it anew with 'make generated'"
    assert all(explain(rule.code) in render_rule_reference() for rule in RULES)


def test_codes_and_names_are_unique() -> None:
    assert all(CODE.fullmatch(rule.code) for rule in RULES)
    assert [rule.code for rule in RULES] == sorted({rule.code for rule in RULES})
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_a_wrong_file_is_not_linted(tmp_path: Path) -> None:
    file = write_scenario(tmp_path, "- set: {unused: 1}\n- assert: '{{ nosuch }}'")
    with pytest.raises(ScenarioError) as error:
        findings(file)
    assert [each.severity for each in error.value.diagnostics] == ["error"]


def test_strict_is_about_rules_only(run_steps: RunSteps) -> None:
    start = "{execute: drive-backup, arguments: {job-id: job0, device: drive0, sync: full, target: full.qcow2}}"
    run = run_steps(f"- launch\n- qmp: {start}\n- wait-job: job0", "--check", "--strict")
    assert "warning: 'drive-backup' is deprecated" in run.stderr
    assert run.status == 0


def test_a_list_of_cases_comes_without_warnings(run_steps: RunSteps) -> None:
    run = run_steps("- compare: [a.qcow2, a.qcow2]", "--list")
    assert (run.status, run.stdout, run.stderr) == (0, "case\n", "")
