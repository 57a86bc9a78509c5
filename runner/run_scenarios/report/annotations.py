"""GitHub annotations for findings and failures.

Source: "Workflow commands for GitHub Actions": `::error file=…,line=…,col=…,title=…::message`. They go to standard
error, because they would break TAP on standard output. GitHub shows 10 errors and 10 warnings of a step.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from run_scenarios.core.diagnostics import Diagnostic, escape_unprintable
from run_scenarios.core.events import CaseFinished, DiagnosticsFound, Failure, RunEvent, RunStarted
from run_scenarios.report.stream import LineStream

MAX_PER_SEVERITY = 10


class GitHubAnnotations:
    """Writes findings and failures as annotations; does nothing outside GitHub workflows.

    :param environment: `GITHUB_ACTIONS` is "true" in a workflow; paths are relative to `GITHUB_WORKSPACE`.
    """

    def __init__(self, stream: LineStream, environment: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self._is_enabled = environment.get("GITHUB_ACTIONS") == "true"
        self._root = Path(environment.get("GITHUB_WORKSPACE") or Path.cwd())
        self._remaining = {"error": MAX_PER_SEVERITY, "warning": MAX_PER_SEVERITY}
        self._points: tuple[str, ...] = ()

    def __call__(self, event: RunEvent) -> None:
        """Handle an event; a file that cannot run has been reported with the findings already."""
        match event:
            case DiagnosticsFound():
                for each in event.diagnostics:
                    self._write(each, each.code or "run-scenarios")
            case RunStarted():
                self._points = tuple(point.name if point.rerun else "" for point in event.points)
            case CaseFinished(index, result) if result.failure and result.outcome.is_failure and self._points[index]:
                self._write(_add_values(result.failure), self._points[index])

    def _write(self, finding: Diagnostic, title: str) -> None:
        if self._is_enabled and self._remaining[finding.severity]:
            self._remaining[finding.severity] -= 1
            self._stream.write(format_annotation(finding, title, self._root))


def format_annotation(finding: Diagnostic, title: str, root: Path) -> str:
    """Format a finding as a workflow command.

    :param root: the root of the repository; paths below it are shown relative to it.
    """
    span, path = finding.span, Path(os.path.normpath(Path(finding.span.source.path).absolute()))
    file = str(path.relative_to(root) if path.is_relative_to(root) else path)
    properties = {"file": file, "line": str(span.line), "col": str(span.column), "title": title}
    listed = ",".join(f"{key}={_escape_property(value)}" for key, value in properties.items())
    message = "\n".join(escape_unprintable(part) for part in (finding.message, finding.hint) if part)
    return f"::{finding.severity} {listed}::{_escape(message)}"


def _add_values(failure: Failure) -> Diagnostic:
    found = failure.diagnostic
    values = f"expected {failure.wanted}, found {failure.found}" if failure.wanted else ""
    return Diagnostic(found.span, found.message, "; ".join(part for part in (values, found.hint) if part))


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
