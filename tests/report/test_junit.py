"""The JUnit report, checked against the schema of the strictest consumer."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from junitparser import JUnitXml
from run_scenarios.core.events import (
    CaseFinished,
    NothingToRun,
    Outcome,
    Result,
    RunAborted,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    TestPoint,
)
from run_scenarios.report.junit import JUnitReport, make_case_name, make_class_name
from xmlschema import XMLSchema

from tests.report.events import FAILED, PASSED, events_of_outcomes, fed, hostile_failure, plan, point
from tests.report.hostile import PIECES, hostile_texts
from tests.support.command import CRASHES, FAILS, PASSES, SKIPS, WAITS, WRONG
from tests.support.scenarios import RunSteps

# As in Jenkins' xUnit plugin; pytest checks its own reports by it too.
SCHEMA = XMLSchema(Path(__file__).with_name("junit-10.xsd"))
KNOWN = 'scenario: known\nexpected-failure: an old bug\nsteps:\n  - launch\n  - assert: "{{ 1 == 2 }}"\n'


def checked(report: str) -> ET.Element:
    """Check a report against the schema, and return its root."""
    SCHEMA.validate(report)
    return ET.fromstring(report)


def report_of(*events: RunEvent) -> ET.Element:
    """Return the root of the report of these events."""
    return checked(fed(lambda stream: JUnitReport(stream, io.BytesIO()), *events))


def kinds(root: ET.Element) -> dict[str, str]:
    """Return the outcome of each case, by name."""
    return {each.get("name", ""): next((child.tag for child in each), "") for each in root.iter("testcase")}


def test_each_outcome_has_the_right_element() -> None:
    root = report_of(*events_of_outcomes())
    assert kinds(root) == {
        "a[n=passed]": "system-out",
        "a[n=skipped]": "skipped",
        "a[n=known-failure]": "skipped",
        "a[n=assertion]": "failure",
        "a[n=timeout]": "failure",
        "a[n=qemu-crash]": "failure",
        "a[n=unexpected-pass]": "failure",
        "a[n=interrupted]": "error",
        "a[n=unproven-assertion]": "failure",
        "a[n=invalid-scenario]": "error",
        "a[n=infrastructure]": "error",
    } | {"a[n=passed]": ""}
    (suite,) = root
    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("time")) == ("11", "5", "3", "5.000")
    assert (suite.get("name"), suite.get("file"), suite.get("skipped")) == ("dir/a.yaml", "dir/a.yaml", "2")
    assert suite.get("timestamp") == "2026-01-31T12:00:00+00:00"
    assert [(each.get("name"), each.get("value")) for each in root.iter("property")] == [("qemu", "QEMU 10.0.2")]


def test_a_failure_has_description_messages_and_stderr() -> None:
    root = report_of(
        plan("dir/a"), CaseFinished(0, Result(Outcome.FAILED, 0.5, hostile_failure("word"))), RunFinished(1)
    )
    (case,) = root.iter("testcase")
    failure, out, err = case
    assert (case.get("classname"), case.get("name"), case.get("time")) == ("dir.a", "a", "0.500")
    assert (failure.get("type"), failure.get("message")) == ("assertion", "step 2 (qmp): word")
    assert failure.text
    assert failure.text.startswith("word:1:1: assertion: word\n    1 | word\n      | ^ word\n  case: dir/a\n")
    assert failure.text.endswith("\n  rerun: run-scenarios dir/a.yaml")
    assert (out.text, err.text) == ("last messages:\nword", "stderr of 'word':\nword")


@pytest.mark.parametrize("text", [*PIECES, "]]>", "<!--", "a\r\nb", "&amp;", "\ud800", "\U0010ffff"])
def test_characters_outside_xml_are_escaped(text: str) -> None:
    report_of(*events_of_outcomes(text))


def test_hostile_texts_leave_the_xml_valid() -> None:
    for text in hostile_texts(50):
        report_of(*events_of_outcomes(text))


def test_a_suite_has_the_cases_of_a_file_in_plan_order() -> None:
    points = (point("a", "a.yaml"), point("b", "b.yaml"), point("a (round 2)", "a.yaml"))
    finished = (CaseFinished(2, FAILED), CaseFinished(1, PASSED), CaseFinished(0, PASSED))
    root = report_of(RunStarted(points), *finished, RunFinished(1))
    assert [(suite.get("name"), [case.get("name") for case in suite.iter("testcase")]) for suite in root] == [
        ("a.yaml", ["a", "a (round 2)"]),
        ("b.yaml", ["b"]),
    ]
    assert [(suite.get("failures"), suite.get("time")) for suite in root] == [("1", "0.750"), ("0", "0.250")]


@pytest.mark.parametrize(
    ("end", "kind"),
    [(RunStopped("interrupted by SIGTERM"), "skipped"), (RunAborted("no space"), "error")],
)
def test_unfinished_cases_of_an_aborted_run_are_marked(end: RunEvent, kind: str) -> None:
    root = report_of(plan("a", "b"), CaseFinished(1, PASSED), end, RunFinished(1))
    assert kinds(root) == {"a": kind, "b": ""}
    (told,) = root.iter(kind)
    assert end.reason in told.get("message", "")  # type: ignore[union-attr]


def test_a_run_that_cannot_start_has_one_case_with_an_error() -> None:
    assert kinds(report_of(RunAborted("no QEMU"))) == {"runner setup": "error"}
    assert kinds(report_of(NothingToRun("no files", allowed=False))) == {"scenario discovery": "error"}
    assert kinds(report_of(NothingToRun("no files", allowed=True))) == {}


@pytest.mark.parametrize(
    ("path", "name", "shown"),
    [
        ("scenarios/mirror.yaml", "scenarios/mirror[format=qcow2]", ("scenarios.mirror", "mirror[format=qcow2]")),
        ("../v1.0/a.yaml", "../v1.0/a (round 1 of 2)", ("v1_0.a", "a (round 1 of 2)")),
        ("/abs/a.yaml", "/abs/a[file=x/y]", ("abs.a", "a[file=x/y]")),
        ("a.yaml", "a.yaml (invalid scenario file)", ("a", "a.yaml (invalid scenario file)")),
    ],
)
def test_packages_are_directories(path: str, name: str, shown: tuple[str, str]) -> None:
    assert (make_class_name(path), make_case_name(TestPoint(name, path))) == shown


@pytest.fixture
def files(tmp_path: Path) -> Iterator[list[str]]:
    every = {"passes": PASSES, "fails": FAILS, "skips": SKIPS, "wrong": WRONG, "crashes": CRASHES, "known": KNOWN}
    for name, text in every.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    yield [f"{name}.yaml" for name in every]


def test_a_real_run_with_every_kind_of_result(run_command: RunSteps, files: list[str], tmp_path: Path) -> None:
    run_command(*files, "--repeat", "2", "--junit", "junit.xml")
    checked((tmp_path / "junit.xml").read_text())
    report = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert (report.tests, report.failures, report.errors) == (11, 4, 1)
    names = [case.name for suite in report for case in suite]
    assert len(names) == len(set(names)) == 11
    assert "crashes (round 2 of 2)" in names


def test_an_interrupted_case_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    from tests.support import command

    monkeypatch.chdir(tmp_path)
    (tmp_path / "passes.yaml").write_text(PASSES)
    (tmp_path / "waits.yaml").write_text(WAITS)
    running = command.start("-j1", "passes.yaml", "waits.yaml", "passes.yaml", "--repeat", "2", "--junit", "j.xml")
    running.read_until("ok 1")
    running.send(signal.SIGTERM)
    running.finish()
    assert set(kinds(checked((tmp_path / "j.xml").read_text())).values()) == {"", "error", "skipped"}
