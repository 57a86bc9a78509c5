"""The story of each failure, in a file beside its trace. Imports model and the console's words."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from run_scenarios.core.events import CaseFinished, RunEvent, RunStarted, TestPoint
from run_scenarios.report.console import describe_failure


class FailureFiles:
    """Writes `failure.txt` into the artifacts of each case that failed: what standard error said of it.

    It is extra: where it cannot be written, the report has it all the same.
    """

    IGNORES_STEPS = True

    def __init__(self) -> None:
        self._points: Sequence[TestPoint] = ()

    def __call__(self, event: RunEvent) -> None:
        """Take an event."""
        match event:
            case RunStarted():
                self._points = event.points
            case CaseFinished() if event.result.failure and event.result.artifacts:
                story = describe_failure(self._points[event.index], event.result)
                with suppress(OSError):
                    file = Path(event.result.artifacts, "failure.txt")
                    file.write_text(f"{story}\n", encoding="utf-8", errors="replace")
