"""The GitHub job summary: its content, its limit, and its escaping."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from run_scenarios.core.events import CaseFinished, NothingToRun, Outcome, Result, RunEvent, RunFinished, RunStopped
from run_scenarios.report.job_summary import MAX_BYTES, MAX_FAILURES, JobSummary, escape_markdown

from tests.report.events import FAILED, PASSED, events_of_outcomes, hostile_failure, plan
from tests.report.hostile import hostile_texts
from tests.support.command import FAILS, PASSES, SKIPS
from tests.support.scenarios import RunSteps


def summary_of(file: Path, *events: RunEvent) -> str:
    """Return the text appended for these events."""
    file.unlink(missing_ok=True)
    report = JobSummary({"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(file)})
    for event in events:
        report(event)
    return file.read_text()


def test_totals_failures_and_reasons_are_listed(tmp_path: Path) -> None:
    skipped = [CaseFinished(index, Result(Outcome.SKIPPED, note="needs *QEMU* >= 9")) for index in (2, 3)]
    finished = [CaseFinished(0, FAILED), CaseFinished(1, PASSED), *skipped]
    assert summary_of(tmp_path / "s.md", plan("a<b>", "b", "c", "d"), *finished, RunFinished(2.5)) == (
        "### ❌ run-scenarios: 4 cases\n\n"
        "| passed | skipped | failed |\n| ---: | ---: | ---: |\n| 1 | 2 | 1 |\n\n"
        "QEMU 10.0.2, 2.5 s\n\n"
        "<details><summary><b>a&#60;b&#62;</b>: it broke</summary>\n\n"
        "```text\ndir/a.yaml:3:5: it broke\n    3 |   - assert: 1\n      |     ^^^^^^ fix it\nstep 1 (assert)\n```\n\n"
        "```text\nrun-scenarios dir/a.yaml\n```\n\n</details>\n\n"
        "#### Skipped\n\n- 2 × needs \\*QEMU\\* \\>\\= 9\n\n"
    )


def test_a_stopped_run_gives_the_reason_once(tmp_path: Path) -> None:
    text = summary_of(
        tmp_path / "s.md", plan("a", "b"), CaseFinished(0, PASSED), RunStopped("interrupted"), RunFinished(1)
    )
    assert "| 1 | 1 |" in text
    assert text.count("**interrupted**") == 1
    assert "nothing here" in summary_of(tmp_path / "s.md", NothingToRun("nothing here", allowed=False))


def test_texts_are_escaped_and_on_one_line() -> None:
    for text in hostile_texts(200):
        shown = escape_markdown(text)
        assert "\n" not in shown
        assert not re.search(r"(?<!\\)[<`*_\[|#@]", re.sub(r"\\\\", "", shown))


def test_a_code_fence_is_longer_than_any_in_the_code(tmp_path: Path) -> None:
    text = summary_of(
        tmp_path / "s.md",
        plan("a"),
        CaseFinished(0, Result(Outcome.FAILED, 1, hostile_failure("````"))),
        RunFinished(1),
    )
    assert "\n`````text\n" in text


def test_the_summary_fits_the_limit_of_github(tmp_path: Path) -> None:
    failed = Result(Outcome.FAILED, 1, hostile_failure("é" * 5000))
    names = [f"a{number}" for number in range(1000)]
    text = summary_of(
        tmp_path / "s.md", plan(*names), *(CaseFinished(index, failed) for index in range(1000)), RunFinished(1)
    )
    assert len(text.encode()) < MAX_BYTES + 1000 < 1 << 20
    assert "… the rest exceeds the size limit of GitHub" in text
    assert text.count("<details>") == text.count("</details>") > 50


def test_failures_beyond_the_first_are_counted(tmp_path: Path) -> None:
    names = [f"a{number}" for number in range(MAX_FAILURES + 7)]
    finished = [CaseFinished(index, FAILED) for index in range(len(names))]
    text = summary_of(tmp_path / "s.md", plan(*names), *finished, RunFinished(1))
    assert (text.count("<details>"), text.count("… and 7 failures more")) == (MAX_FAILURES, 1)


def test_the_summary_is_written_only_in_workflows(
    run_command: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, scenario in {"passes": PASSES, "fails": FAILS, "skips": SKIPS}.items():
        (tmp_path / f"{name}.yaml").write_text(scenario)
    summary = tmp_path / "summary.md"
    summary.write_text("from the step before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    run_command("passes.yaml", "fails.yaml", "skips.yaml")
    assert summary.read_text() == "from the step before\n"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    run_command("passes.yaml", "fails.yaml", "skips.yaml")
    assert summary.read_text().startswith("from the step before\n### ❌ run-scenarios: 3 cases\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no/such/directory"))
    run = run_command("passes.yaml")
    assert run.status == 3
    assert "no/such/directory" in run.stderr


def test_every_outcome_is_counted(tmp_path: Path) -> None:
    text = summary_of(tmp_path / "s.md", *events_of_outcomes())
    assert "| 1 | 1 | 1 | 8 |" in text
