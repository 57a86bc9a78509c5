"""GitHub annotations: their format, their limit, and where they are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.source import Source, Span
from run_scenarios.report.annotations import format_annotation

from tests.support.scenarios import RunSteps

SPAN = Span(Source("dir/case.yaml", ""), 3, 7)
FAILING = "- create-image: {file: a.qcow2, size: 1M}\n- compare: {images: [a.qcow2, a.qcow2], outcome: different}"


def commands(stderr: str) -> list[str]:
    """Return the workflow commands among the lines of a log."""
    return [line for line in stderr.split("\n") if line.startswith("::")]


@pytest.fixture
def on_github(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set the environment of a workflow step whose repository is the test's directory."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))


def test_an_annotation_has_position_message_and_hint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    finding = Diagnostic(SPAN, "wrong", "fix it")
    assert (
        format_annotation(finding, "RS001", tmp_path)
        == "::error file=dir/case.yaml,line=3,col=7,title=RS001::wrong%0Afix it"
    )


def test_a_warning_without_a_hint() -> None:
    finding = Diagnostic(SPAN, "odd", severity="warning")
    assert (
        format_annotation(finding, "RS001", Path.cwd()) == "::warning file=dir/case.yaml,line=3,col=7,title=RS001::odd"
    )


def test_special_characters_are_escaped() -> None:
    finding = Diagnostic(Span(Source("50%,a:b.yaml", ""), 1, 1), "100%: a, b::c", "d\r\ne")
    written = format_annotation(finding, "case[a=1,b=x:y%]", Path.cwd())
    properties, message = written.removeprefix("::error ").split("::", 1)
    assert properties == "file=50%25%2Ca%3Ab.yaml,line=1,col=1,title=case[a=1%2Cb=x%3Ay%25]"
    assert message == "100%25: a, b::c%0Ad\\r\\ne"


def test_paths_are_relative_to_the_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert "file=below/dir/case.yaml," in format_annotation(Diagnostic(SPAN, "wrong"), "t", tmp_path)
    assert f"file={tmp_path}/below/dir/case.yaml," in format_annotation(
        Diagnostic(SPAN, "wrong"), "t", tmp_path / "elsewhere"
    )


@pytest.mark.usefixtures("on_github")
def test_errors_and_warnings_are_annotated_once(run_steps: RunSteps) -> None:
    warning = (
        "::warning file=case.yaml,line=3,col=24,title=RS009::an image is compared with itself"
        "%0Acompare it with another image"
    )
    (found,) = commands(run_steps("- compare: [a.qcow2, a.qcow2]", "--check").stderr)
    assert found.startswith(warning)
    (found,) = commands(run_steps("- compare: [a.qcow2, b.qcow2, c.qcow2]").stderr)
    assert found.startswith("::error file=case.yaml,line=3,col=14,title=run-scenarios::")


@pytest.mark.usefixtures("on_github")
def test_an_annotation_of_a_failure_has_the_expected_value(run_steps: RunSteps) -> None:
    run = run_steps(FAILING.replace("[a.qcow2, a.qcow2]", "[a.qcow2, ./a.qcow2]"))
    assert run.status == 1
    assert "::" not in run.stdout
    warning, error = commands(run.stderr)
    assert warning.startswith("::warning ")
    assert error.startswith(
        "::error file=case.yaml,line=4,col=5,title=case::'a.qcow2' and './a.qcow2' are not different"
    )
    assert error.endswith("%0Aexpected different, found Images are identical.")


@pytest.mark.usefixtures("on_github")
def test_only_failures_are_annotated(run_steps: RunSteps) -> None:
    run = run_steps(f"{FAILING}  # lint: RS009 it must fail", head="expected-failure: {because: it must fail, step: 2}")
    assert run.status == 0
    assert run.only.directive == "TODO"
    assert not commands(run.stderr)


@pytest.mark.usefixtures("on_github")
def test_at_most_ten_of_each_severity_are_sent(run_command: RunSteps, tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number:02}.yaml").write_text("scenario: a test\nsteps:\n  - compare: [a.raw, a.raw]\n")
    wrong = "".join("  - comparee: []\n" for _ in range(12))
    (tmp_path / "wrong.yaml").write_text(f"scenario: a test\nsteps:\n{wrong}")
    written = commands(run_command("--check", tmp_path).stderr)
    assert [line.split(" ")[0] for line in written] == ["::warning"] * 10 + ["::error"] * 10
    assert written[9].startswith("::warning file=09.yaml,")


@pytest.mark.parametrize("value", ["", "false", "1"])
def test_there_are_no_annotations_outside_workflows(
    value: str, run_steps: RunSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", value)
    run = run_steps(FAILING)
    assert run.status == 1
    assert not commands(run.stderr)
