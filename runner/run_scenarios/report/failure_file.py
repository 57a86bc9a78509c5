"""Write the description of each failure to `failure.txt` among its artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from run_scenarios.core.events import CaseFinished, RunEvent, RunStarted, TestPoint
from run_scenarios.report.console import describe_failure


class FailureFiles:
    """Writes the text that standard error shows for a failure into the artifacts of the case.

    Write errors are ignored, because the report has the same text.
    """

    def __init__(self) -> None:
        self._points: Sequence[TestPoint] = ()

    def __call__(self, event: RunEvent) -> None:
        """Handle an event."""
        match event:
            case RunStarted():
                self._points = event.points
            case CaseFinished() if event.result.failure and event.result.artifacts:
                text = describe_failure(self._points[event.index], event.result)
                with suppress(OSError):
                    file = Path(event.result.artifacts, "failure.txt")
                    file.write_text(f"{text}\n", encoding="utf-8", errors="replace")
