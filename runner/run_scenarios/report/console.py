"""Failures as a person reads them, on standard error. Imports model and errors."""

from __future__ import annotations

from collections.abc import Sequence

from run_scenarios.core.diagnostics import Diagnostic, format_excerpt
from run_scenarios.core.events import (
    CaseFinished,
    DiagnosticsFound,
    Failure,
    Notice,
    Result,
    RunEvent,
    RunStarted,
    TestPoint,
)
from run_scenarios.report.stream import LineStream

MAX_FINDINGS = 100


class ConsoleReport:
    """Writes each finding and failure as a compiler would: the place, the line, a caret; then what led there.

    A file that cannot be run is among the findings, so its result says nothing new.
    """

    IGNORES_STEPS = True

    def __init__(self, stream: LineStream) -> None:
        self._stream = stream
        self._points: tuple[TestPoint, ...] = ()

    def __call__(self, event: RunEvent) -> None:
        """Take an event."""
        match event:
            case DiagnosticsFound():
                self._stream.write(*_rendered(event.diagnostics))
            case Notice():
                self._stream.write(f"run-scenarios: {event.text}")
            case RunStarted():
                self._points = event.points
            case CaseFinished() if event.result.failure and self._points[event.index].rerun:
                self._stream.write(describe_failure(self._points[event.index], event.result), "")


def describe_failure(point: TestPoint, result: Result, *, with_logs: bool = True) -> str:
    """Return the whole story of a failure, a paragraph of lines.

    :param with_logs: whether the last messages and QEMU's stderr are part of it.
    """
    assert result.failure
    failure = result.failure
    diagnostic = failure.diagnostic
    word = "known failure" if not result.outcome.is_failure else result.outcome.reason
    lines = [f"{diagnostic.span}: {word}: {diagnostic.message}", *format_excerpt(diagnostic.span, diagnostic.hint)]
    lines += [f"  case: {point.name}", *_story(failure), *(_logs(failure) if with_logs else [])]
    if result.artifacts:
        lines.append(f"  artifacts: {result.artifacts}")
    if point.rerun:
        lines.append(f"  rerun: {point.rerun}")
    return "\n".join(lines)


def _rendered(findings: Sequence[Diagnostic]) -> list[str]:
    lines = [each.render() for each in findings[:MAX_FINDINGS]]
    return lines if len(findings) <= MAX_FINDINGS else [*lines, f"… and {len(findings) - MAX_FINDINGS} more"]


def _story(failure: Failure) -> list[str]:
    lines = []
    if failure.step:
        name = f": {failure.name}" if failure.name else ""
        lines.append(f"  step {failure.step} ({failure.verb}){name}")
    lines += [f"  called from {span}" for span in reversed(failure.stack)]
    said = failure.diagnostic.message
    if failure.wanted and not (failure.wanted in said and failure.found in said):
        lines += [f"  expected: {failure.wanted}", f"  found:    {failure.found}"]
    lines += [f"  {line}" for line in failure.details if line not in said]
    if failure.rendered:
        lines.append(f"  ran: {failure.rendered}")
    return lines


def _logs(failure: Failure) -> list[str]:
    lines = []
    if failure.traffic:
        lines += ["  last messages:", *(f"    {line}" for line in failure.traffic)]
    if failure.stderr_tail:
        lines += ["  QEMU's stderr:", *(f"    {line}" for line in failure.stderr_tail.split("\n"))]
    return lines
