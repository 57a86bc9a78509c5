"""The TAP report of given events."""

from __future__ import annotations

import io
import os
import urllib.parse
from pathlib import Path

import pytest
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.events import (
    CaseFinished,
    Failure,
    NothingToRun,
    Outcome,
    Result,
    RunAborted,
    RunEvent,
    RunStarted,
    RunStopped,
    TestPoint,
)
from run_scenarios.core.source import Source, Span
from run_scenarios.report.stream import LineStream
from run_scenarios.report.tap import TEXT_LIMIT, TapReport, escape_tap

from tests.report.hostile import hostile_texts
from tests.report.taplint import lint
from tests.support.scenarios import Run

SPAN = Span(Source("a.yaml", "text"), 3, 7)
FAILED = Result(Outcome.FAILED, failure=Failure(Diagnostic(SPAN, "it broke")))
PASSED = Result(Outcome.PASSED, 0.25)


def points(*names: str) -> RunStarted:
    """Return a plan of these test points, all from one file."""
    return RunStarted(tuple(TestPoint(name, "a.yaml") for name in names))


def report_of(*events: RunEvent, check: bool = True) -> str:
    """Return the report of these events, after checking it with the linter."""
    stream = io.StringIO()
    report = TapReport(LineStream(stream))
    for event in events:
        report(event)
    if check:
        assert lint(stream.getvalue()) == []
    return stream.getvalue()


def only_block(result: Result) -> object:
    """Return the parsed YAML block of a result."""
    (point,) = Run(0, report_of(points("a"), CaseFinished(0, result)), "").points
    return point.block


def test_test_points_are_in_plan_order() -> None:
    report = report_of(points("a", "b", "c"), CaseFinished(2, FAILED), CaseFinished(0, PASSED), CaseFinished(1, PASSED))
    assert [(each.ok, each.name) for each in Run(0, report, "").points] == [(True, "a"), (True, "b"), (False, "c")]


def test_a_test_point_is_printed_once_all_earlier_ones_are() -> None:
    early = report_of(points("a", "b", "c"), CaseFinished(1, PASSED), check=False)
    assert early == "TAP version 13\n1..3\n"
    later = report_of(points("a", "b", "c"), CaseFinished(1, PASSED), CaseFinished(0, PASSED), check=False)
    assert [each.name for each in Run(0, later, "").points] == ["a", "b"]


def test_each_line_is_flushed(tmp_path: Path) -> None:
    file = tmp_path / "report"
    with file.open("w") as stream:
        report = TapReport(LineStream(stream))
        report(points("a"))
        assert file.read_text() == "TAP version 13\n1..1\n"


def test_a_file_name_precedes_its_test_points() -> None:
    plan = RunStarted((TestPoint("a", "x.yaml"), TestPoint("b", "x.yaml"), TestPoint("c", "y.yaml")))
    report = report_of(plan, *(CaseFinished(index, Result(Outcome.PASSED)) for index in range(3)))
    assert report.split("\n")[2:-1] == ["# x.yaml", "ok 1 - a", "ok 2 - b", "# y.yaml", "ok 3 - c"]


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (PASSED, "ok 1 - a"),
        (FAILED, "not ok 1 - a"),
        (Result(Outcome.SKIPPED, note="needs #1"), "ok 1 - a # SKIP needs %231"),
        (Result(Outcome.KNOWN_FAILURE, note="bug 7"), "not ok 1 - a # TODO bug 7"),
        (Result(Outcome.UNEXPECTED_PASS, note="bug 7"), "not ok 1 - a"),
        (Result(Outcome.TIMED_OUT), "not ok 1 - a"),
        (Result(Outcome.CRASHED), "not ok 1 - a"),
        (Result(Outcome.INTERRUPTED), "not ok 1 - a"),
        (Result(Outcome.INVALID), "not ok 1 - a"),
        (Result(Outcome.BROKEN), "not ok 1 - a"),
    ],
)
def test_the_line_of_each_outcome(result: Result, line: str) -> None:
    assert line in report_of(points("a"), CaseFinished(0, result)).split("\n")


def test_a_failure_has_every_field() -> None:
    failure = Failure(
        Diagnostic(SPAN, 'expected "concluded"', "a hint"),
        wanted='"concluded"',
        found='"aborting"',
        details=("one", "two"),
        step=4,
        verb="wait-job",
        name="the job",
        stack=(SPAN,),
        rendered='{"wait-job": "x"}',
        traffic=("-> a", "<- b"),
        stderr_tail="oh\nno",
        stderr_vm="vm",
        signal="SIGSEGV",
        timeout_ms=60000,
    )
    point = TestPoint("a", "a.yaml", title="A title", rerun="run-scenarios a.yaml")
    result = Result(Outcome.FAILED, 1.2345, failure, artifacts="/kept/a")
    report = report_of(RunStarted((point,)), CaseFinished(0, result))
    assert Run(0, report, "").only.block == {
        "message": 'step 4 (wait-job): expected "concluded"',
        "severity": "fail",
        "reason": "assertion",
        "at": {"file": "a.yaml", "line": 3, "column": 7},
        "step": {"index": 4, "verb": "wait-job", "name": "the job", "rendered": '{"wait-job": "x"}'},
        "wanted": '"concluded"',
        "found": '"aborting"',
        "hint": "a hint",
        "details": "one\ntwo",
        "called_from": [{"file": "a.yaml", "line": 3}],
        "signal": "SIGSEGV",
        "timeout_ms": 60000,
        "log": "-> a\n<- b",
        "stderr_vm": "vm",
        "stderr_tail": "oh\nno",
        "repro": "run-scenarios a.yaml",
        "duration_ms": 1234.5,
        "title": "A title",
        "artifacts": "/kept/a",
    }


def test_a_known_failure_has_its_fields_too() -> None:
    result = Result(Outcome.KNOWN_FAILURE, failure=FAILED.failure, note="bug 7")
    assert only_block(result) == {
        "message": "it broke",
        "severity": "todo",
        "reason": "known-failure",
        "at": {"file": "a.yaml", "line": 3, "column": 7},
    }


def test_a_case_that_did_not_run_has_no_duration() -> None:
    assert only_block(Result(Outcome.SKIPPED, note="x")) == {}


def test_a_long_text_is_cut_with_a_note() -> None:
    failure = Failure(Diagnostic(SPAN, "m"), found="x" * (TEXT_LIMIT + 1))
    block = only_block(Result(Outcome.FAILED, failure=failure))
    assert isinstance(block, dict)
    assert block["found"] == "x" * TEXT_LIMIT + f"… ({TEXT_LIMIT + 1} characters)"


def test_an_interrupted_run_reports_every_test_point() -> None:
    stopped = Result(Outcome.INTERRUPTED, failure=Failure(Diagnostic(SPAN, "interrupted by SIGTERM")))
    report = report_of(
        points("a", "b", "c", "d"),
        CaseFinished(0, PASSED),
        CaseFinished(3, PASSED),
        CaseFinished(1, stopped),
        RunStopped("interrupted by SIGTERM"),
    )
    got = [(each.ok, each.name, each.directive, each.reason) for each in Run(0, report, "").points]
    assert got == [
        (True, "a", "", ""),
        (False, "b", "", ""),
        (True, "c", "SKIP", "not run, interrupted"),
        (True, "d", "", ""),
    ]
    assert report.endswith("\nBail out! interrupted by SIGTERM\n")


def test_an_aborted_run_fails_cases_without_result() -> None:
    stream = io.StringIO()
    report = TapReport(LineStream(stream))
    report(points("a", "b", "c"))
    report(CaseFinished(0, PASSED))
    report(RunAborted("internal error: #1"))
    assert lint(stream.getvalue()) == []
    run = Run(0, stream.getvalue(), "")
    assert [each.ok for each in run.points] == [True, False, False]
    assert run.points[1].block == {"message": "internal error: #1", "severity": "fail", "reason": "infrastructure"}
    assert run.stdout.endswith("\nBail out! internal error: %231\n")


def test_a_report_bails_out_once() -> None:
    stream = io.StringIO()
    report = TapReport(LineStream(stream))
    report(points("a"))
    report(RunStopped("interrupted by SIGINT"))
    report(RunAborted("and then it broke"))
    assert stream.getvalue().count("Bail out!") == 1


def test_a_run_that_cannot_start_has_one_failed_test_point() -> None:
    stream = io.StringIO()
    report = TapReport(LineStream(stream))
    report(RunAborted("no QEMU"))
    report(RunAborted("no QEMU"))
    assert stream.getvalue() == (
        "TAP version 13\n1..1\nnot ok 1 - runner setup\n"
        '  ---\n  message: "no QEMU"\n  severity: "fail"\n  reason: "setup"\n  ...\nBail out! no QEMU\n'
    )


@pytest.mark.parametrize("allowed", [True, False])
def test_nothing_to_run(allowed: bool) -> None:
    stream = io.StringIO()
    TapReport(LineStream(stream))(NothingToRun("no scenarios in x", allowed))
    assert lint(stream.getvalue()) == []
    second = stream.getvalue().split("\n")[1]
    assert second == ("1..0 # SKIP no scenarios in x" if allowed else "1..1")


def test_hostile_values_are_restored() -> None:
    for text in hostile_texts(400):
        block = only_block(Result(Outcome.FAILED, failure=Failure(Diagnostic(SPAN, "m"), found=text)))
        assert isinstance(block, dict)
        assert block.get("found", "") == text


def test_hostile_names_and_reasons_are_restored() -> None:
    for text in hostile_texts(400):
        report = report_of(
            points(f"x{text}", f"{text}y"), CaseFinished(0, PASSED), CaseFinished(1, Result(Outcome.SKIPPED, note="n"))
        )
        names = [urllib.parse.unquote(each.name, errors="surrogateescape") for each in Run(0, report, "").points]
        assert names == [f"x{text}", f"{text}y"]


def test_names_that_are_not_utf8_stay_distinct() -> None:
    assert escape_tap(os.fsdecode(b"\xff.yaml")) == "%FF.yaml"
    assert escape_tap("\ud800") != escape_tap("\ud801")


def test_a_closed_pipe_ends_the_report_but_not_the_run() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w") as stream:
        report = TapReport(LineStream(stream))
        os.close(read_end)
        report(points("a"))
        report(CaseFinished(0, PASSED))
        # Nothing may be left to be written, or the closing of the stream would raise.


def test_a_full_disk_is_an_error_once() -> None:
    with Path("/dev/full").open("w") as file:
        stream = LineStream(file)
        with pytest.raises(OSError, match="No space left"):
            stream.write("a")
        stream.write("b")
        assert stream.closed


def test_the_hostile_texts_include_each_kind() -> None:
    together = "".join(hostile_texts(400))
    assert all(each in together for each in ("\n---", "Bail out!", "# TODO", "\x00", "\u2028", "\udcff", "\U0001fae8"))
