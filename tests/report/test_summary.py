"""The summary at the end of a run."""

from __future__ import annotations

import io

from run_scenarios.core.events import CaseFinished, Outcome, Result, RunFinished, RunStarted, RunStopped, TestPoint
from run_scenarios.report.stream import LineStream
from run_scenarios.report.summary import Summary


def test_a_stopped_run_has_one_summary() -> None:
    text = io.StringIO()
    summary = Summary(LineStream(text))
    for event in (
        RunStarted((TestPoint("a", "a.yaml"), TestPoint("b", "b.yaml"))),
        CaseFinished(0, Result(Outcome.PASSED)),
        RunStopped("interrupted by SIGTERM"),
        RunFinished(1.0),
    ):
        summary(event)
    assert text.getvalue() == "2 cases: 1 passed, 1 not run\n"
