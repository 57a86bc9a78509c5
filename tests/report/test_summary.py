"""The summary at the end of a run."""

from __future__ import annotations

import io

from run_scenarios.core.events import (
    CaseFinished,
    Outcome,
    Result,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    TestPoint,
)
from run_scenarios.report.stream import LineStream
from run_scenarios.report.summary import Summary

SKIPPED = Result(Outcome.SKIPPED, note="QEMU 7.2.22 has no QMP command 'a'")


def summarize(*events: RunEvent) -> str:
    """Return the summary of a run of two cases, as it is written to a file."""
    text = io.StringIO()
    summary = Summary(LineStream(text))
    for event in (RunStarted((TestPoint("a", "a.yaml"), TestPoint("b", "b.yaml"))), *events, RunFinished(1.0)):
        summary(event)
    return text.getvalue()


def test_a_stopped_run_has_one_summary() -> None:
    text = summarize(CaseFinished(0, Result(Outcome.PASSED)), RunStopped("interrupted by SIGTERM"))
    assert text == "2 cases: 1 passed, 1 not run\n"


def test_a_run_that_skipped_every_case_says_so() -> None:
    assert summarize(CaseFinished(0, SKIPPED), CaseFinished(1, SKIPPED)) == (
        "skipped:\n"
        "  2 times: QEMU 7.2.22 has no QMP command 'a'\n"
        "2 cases: 2 skipped (1.0 s)\n"
        "warning: every case was skipped, so nothing was tested\n"
    )


def test_a_run_that_skipped_some_cases_is_silent() -> None:
    assert summarize(CaseFinished(0, SKIPPED), CaseFinished(1, Result(Outcome.PASSED))) == ""


def test_a_run_that_was_stopped_among_skipped_cases_does_not_claim_more() -> None:
    assert "warning" not in summarize(CaseFinished(0, SKIPPED), RunStopped("interrupted by SIGTERM"))
    assert "warning" not in summarize(RunStopped("interrupted by SIGTERM"))
