"""Findings as annotations of GitHub's, on standard error, where a workflow's runner reads them too. Imports model.

Source: "Workflow commands for GitHub Actions": `::error file=…,line=…,col=…,title=…::message`; a step shows 10 errors
and 10 warnings, so no more are sent. On standard output they would break TAP.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from run_scenarios.core.diagnostics import Diagnostic, escape_unprintable
from run_scenarios.core.events import CaseFinished, DiagnosticsFound, Failure, RunEvent, RunStarted
from run_scenarios.report.stream import LineStream

MAX_OF_A_KIND = 10


class GitHubAnnotations:
    """Writes findings, and the failures of cases, as annotations; does nothing outside of GitHub's workflows.

    :param environment: `GITHUB_ACTIONS` is "true" in a workflow; files are named relative to `GITHUB_WORKSPACE`.
    """

    IGNORES_STEPS = True

    def __init__(self, stream: LineStream, environment: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self._wanted = environment.get("GITHUB_ACTIONS") == "true"
        self._root = Path(environment.get("GITHUB_WORKSPACE") or Path.cwd())
        self._left = {"error": MAX_OF_A_KIND, "warning": MAX_OF_A_KIND}
        self._points: tuple[str, ...] = ()

    def __call__(self, event: RunEvent) -> None:
        """Take an event; a file that cannot be run is among the findings."""
        match event:
            case DiagnosticsFound():
                for each in event.diagnostics:
                    self._write(each, each.code or "run-scenarios")
            case RunStarted():
                self._points = tuple(point.name if point.rerun else "" for point in event.points)
            case CaseFinished(index, result) if result.failure and result.outcome.is_failure and self._points[index]:
                self._write(_with_values(result.failure), self._points[index])

    def _write(self, finding: Diagnostic, title: str) -> None:
        if self._wanted and self._left[finding.severity]:
            self._left[finding.severity] -= 1
            self._stream.write(format_annotation(finding, title, self._root))


def format_annotation(finding: Diagnostic, title: str, root: Path) -> str:
    """Return a finding as a workflow command.

    :param root: the top of the repository, which the file is named relative to if it is below.
    """
    span, path = finding.span, Path(os.path.normpath(Path(finding.span.source.path).absolute()))
    file = str(path.relative_to(root) if path.is_relative_to(root) else path)
    properties = {"file": file, "line": str(span.line), "col": str(span.column), "title": title}
    listed = ",".join(f"{key}={_escaped_property(value)}" for key, value in properties.items())
    message = "\n".join(escape_unprintable(part) for part in (finding.message, finding.hint) if part)
    return f"::{finding.severity} {listed}::{_escaped(message)}"


def _with_values(failure: Failure) -> Diagnostic:
    found = failure.diagnostic
    values = f"expected {failure.wanted}, found {failure.found}" if failure.wanted else ""
    return Diagnostic(found.span, found.message, "; ".join(part for part in (values, found.hint) if part))


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
