"""Report findings and failures on standard error, for people."""

from __future__ import annotations

from collections.abc import Sequence

from run_scenarios.core.diagnostics import Diagnostic, escape_every_unprintable, format_excerpt
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
    """Writes each finding and failure as compilers do: the position, the line with a caret, then the details.

    A file that cannot run has been reported with the findings, so its result is not reported again.
    """

    def __init__(self, stream: LineStream) -> None:
        self._stream = stream
        self._points: tuple[TestPoint, ...] = ()

    def __call__(self, event: RunEvent) -> None:
        """Handle an event."""
        match event:
            case DiagnosticsFound():
                self._stream.write(*_render_findings(event.diagnostics))
            case Notice():
                self._stream.write(f"run-scenarios: {event.text}")
            case RunStarted():
                self._points = event.points
            case CaseFinished() if event.result.failure and self._points[event.index].rerun:
                self._stream.write(describe_failure(self._points[event.index], event.result), "")


def describe_failure(point: TestPoint, result: Result, *, with_logs: bool = True) -> str:
    """Return everything known about a failure, as lines of text.

    :param with_logs: whether to include the last messages and the VM's stderr.
    """
    assert result.failure
    failure = result.failure
    diagnostic = failure.diagnostic
    word = "known failure" if not result.outcome.is_failure else result.outcome.reason
    lines = [f"  case: {point.name}", *_describe_step(failure), *(_format_logs(failure) if with_logs else [])]
    if result.artifacts:
        lines.append(f"  artifacts: {result.artifacts}")
    if point.rerun:
        lines.append(f"  rerun: {point.rerun}")
    rest = (escape_every_unprintable(line) for text in lines for line in text.split("\n"))
    head = f"{diagnostic.span}: {word}: {escape_every_unprintable(diagnostic.message)}"
    return "\n".join([head, *format_excerpt(diagnostic.span, diagnostic.hint), *rest])


def _render_findings(findings: Sequence[Diagnostic]) -> list[str]:
    lines = [each.render() for each in findings[:MAX_FINDINGS]]
    return lines if len(findings) <= MAX_FINDINGS else [*lines, f"… and {len(findings) - MAX_FINDINGS} more"]


def _describe_step(failure: Failure) -> list[str]:
    lines = []
    if failure.step:
        name = f": {failure.name}" if failure.name else ""
        lines.append(f"  step {failure.step} ({failure.verb}){name}")
    lines += [f"  called from {span}" for span in reversed(failure.stack)]
    message = failure.diagnostic.message
    if failure.wanted and not (failure.wanted in message and failure.found in message):
        lines += [f"  expected: {failure.wanted}", f"  found:    {failure.found}"]
    lines += [f"  {line}" for line in failure.details if line not in message]
    if failure.rendered:
        lines.append(f"  ran: {failure.rendered}")
    return lines


def _format_logs(failure: Failure) -> list[str]:
    lines = []
    if failure.traffic:
        lines += ["  last messages:", *(f"    {line}" for line in failure.traffic)]
    if failure.stderr_tail:
        lines += [
            f"  stderr of '{failure.stderr_vm}':",
            *(f"    {line}" for line in failure.stderr_tail.split("\n")),
        ]
    return lines
