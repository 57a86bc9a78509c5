"""Events for testing reports without a run."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.events import (
    CaseFinished,
    CaseStarted,
    Emit,
    Failure,
    Outcome,
    Result,
    RunEvent,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    TestPoint,
    TrafficEntry,
)
from run_scenarios.core.source import Source, Span
from run_scenarios.report.stream import LineStream

SPAN = Span(Source("dir/a.yaml", "scenario: a\nsteps:\n  - assert: 1\n"), 3, 5, 6)
FAILED = Result(Outcome.FAILED, 0.5, Failure(Diagnostic(SPAN, "it broke", "fix it"), step=1, verb="assert"))
PASSED = Result(Outcome.PASSED, 0.25)


def point(name: str, path: str = "dir/a.yaml") -> TestPoint:
    """Return a test point with a command to run it again."""
    return TestPoint(name, path, f"about {name}", f"run-scenarios {path}", ("quick",), name)


def plan(*names: str) -> RunStarted:
    """Return a plan of these test points, all from one file."""
    return RunStarted(tuple(map(point, names)), 2, ("QEMU 10.0.2",), "2026-01-31T12:00:00+00:00", "run-scenarios dir")


def fed(make: Callable[[LineStream], Emit], *events: RunEvent) -> str:
    """Return the report of these events."""
    stream = io.StringIO()
    report = make(LineStream(stream))
    for event in events:
        report(event)
    return stream.getvalue()


def hostile_failure(text: str) -> Failure:
    """Return a failure that has this text in every field."""
    span = Span(Source(text, text), 1, 1)
    return Failure(
        Diagnostic(span, text, text),
        wanted=text,
        found=text,
        path=text,
        details=(text,),
        step=2,
        verb="qmp",
        name=text,
        stack=(span,),
        rendered=text,
        traffic=(text,),
        stderr_vm=text,
        stderr_tail=text,
        signal="SIGSEGV",
        timeout_ms=1000,
    )


def events_of_outcomes(text: str = "it broke") -> Iterator[RunEvent]:
    """Yield a run with a case for each outcome and this text in every field."""
    outcomes = tuple(Outcome)
    yield plan(*(f"dir/a[n={each.reason}]" for each in outcomes))
    span = Span(Source(text, text), 1, 1)
    for index, outcome in enumerate(outcomes):
        yield CaseStarted(index, index % 2, index / 2)
        yield StepStarted(index, 1, "qmp", span, text)
        yield StepFinished(index, 1, "qmp", span, True, 0.1, 0.2, (TrafficEntry(0.1, text, "send", text),), 3)
        failure = hostile_failure(text) if outcome.is_failure or outcome is Outcome.KNOWN_FAILURE else None
        yield CaseFinished(index, Result(outcome, 0.5, failure, text, text))
    yield RunFinished(5.0)
