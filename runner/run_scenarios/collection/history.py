"""Remember which cases failed last, and how long each case took.

The history is in the cache, one file per working directory, because names of cases are relative to it.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from run_scenarios.core.cache import locate_cache_file, read_json, write_json_atomically
from run_scenarios.core.errors import SetupError
from run_scenarios.core.events import (
    CaseFinished,
    CaseStarted,
    Outcome,
    RunAborted,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    TestPoint,
)

MAX_NAMES = 20_000
INCONCLUSIVE = (Outcome.INTERRUPTED, Outcome.INVALID)
FINISHED = (Outcome.PASSED, Outcome.KNOWN_FAILURE, Outcome.UNEXPECTED_PASS, Outcome.FAILED)


@dataclass(frozen=True)
class History:
    """Results of earlier runs.

    :param failed: the names of cases that failed when they last ran.
    :param durations: the seconds that each case took when it last finished, by name.
    """

    failed: frozenset[str] = frozenset()
    durations: Mapping[str, float] = field(default_factory=dict)


def load_history(directory: Path) -> History:
    """Return the history of a working directory; it is empty if there is none or it cannot be read."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError):
        kept = read_json(locate_cache_file("runs", str(directory)), must_be_regular=True)
        durations = {str(name): float(seconds) for name, seconds in kept["durations"].items()}
        if all(0 <= seconds < math.inf for seconds in durations.values()):
            return History(frozenset(map(str, kept["failed"])), durations)
    return History()


class HistoryRecorder:
    """Records the results of a run, and updates the history when the run ends.

    A case fails if any of its rounds fails. The history of a case that did not run, or was interrupted, stays as it is.

    :param before: the history so far.
    :param durations_file: a file to save durations to, None for none.
    :param durations: durations of other cases to include in that file.
    """

    def __init__(
        self, directory: Path, before: History, durations_file: Path | None, durations: Mapping[str, float]
    ) -> None:
        self._directory = directory
        self._before = before
        self._durations_file = durations_file
        self._other_durations = durations
        self._points: Sequence[TestPoint] = ()
        self._started: set[int] = set()
        self._failed: dict[str, bool] = {}
        self._durations: dict[str, float] = {}

    def __call__(self, event: RunEvent) -> None:
        """Record an event.

        :raise SetupError: if the durations cannot be saved.
        """
        match event:
            case RunStarted():
                self._points = event.points
            case CaseStarted():
                self._started.add(event.index)
            case CaseFinished(index, result) if index in self._started:
                self._started.discard(index)
                self._record(self._points[index].case, result.outcome, result.duration_s)
            case RunFinished() | RunStopped() | RunAborted() if self._failed:
                self._update_history()

    def _record(self, name: str, outcome: Outcome, seconds: float) -> None:
        if outcome in INCONCLUSIVE:
            return
        self._failed[name] = outcome.is_failure or self._failed.get(name, False)
        if outcome in FINISHED:
            self._durations[name] = round(seconds, 3)

    def _update_history(self) -> None:
        failed = {name for name in self._before.failed if self._failed.get(name) is not False}
        failed |= {name for name, has_failed in self._failed.items() if has_failed}
        durations = {**self._before.durations, **self._durations}
        latest = dict(list(durations.items())[-MAX_NAMES:])
        with contextlib.suppress(OSError, RuntimeError):
            content = {"directory": str(self._directory), "failed": sorted(failed), "durations": latest}
            write_json_atomically(locate_cache_file("runs", str(self._directory)), content)
        self._failed.clear()
        if self._durations_file:
            self._save_durations(self._durations_file)

    def _save_durations(self, file: Path) -> None:
        durations = {**self._other_durations, **self._durations}
        try:
            file.write_text(json.dumps(durations, indent=0, sort_keys=True) + "\n", encoding="utf-8")
        except OSError as error:
            raise SetupError(f"--save-durations: cannot write {file}: {error.strerror}") from None
