"""What the runs in a directory leave: which cases failed last, and how long each takes. Imports cache and model.

Kept in the cache, one file per working directory, for a case's name is relative to that.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from run_scenarios.core.cache import locate_cache_file, write_json_atomically
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
UNDECIDED = (Outcome.INTERRUPTED, Outcome.INVALID)
RAN = (Outcome.PASSED, Outcome.KNOWN_FAILURE, Outcome.UNEXPECTED_PASS, Outcome.FAILED)


@dataclass(frozen=True)
class History:
    """What is known of cases, by name.

    :param failed: those that failed when they last ran.
    :param durations: seconds of the last run that came to its end.
    """

    failed: frozenset[str] = frozenset()
    durations: Mapping[str, float] = field(default_factory=dict)


def load_history(directory: Path) -> History:
    """Return what is known of the runs in a working directory; nothing, if that cannot be read."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError):
        kept = json.loads(locate_cache_file("runs", str(directory)).read_text(encoding="utf-8"))
        durations = {str(name): float(seconds) for name, seconds in kept["durations"].items()}
        return History(frozenset(map(str, kept["failed"])), durations)
    return History()


class HistoryRecorder:
    """Notes how the cases of a run end, and adds that to the history once the run does.

    A case fails if any of its rounds does. One that did not run, or was interrupted, is known as before.

    :param before: the history so far.
    :param durations_file: where the seconds go too, None for nowhere; with those in `durations`, of other runs.
    """

    def __init__(
        self, directory: Path, before: History, durations_file: Path | None, durations: Mapping[str, float]
    ) -> None:
        self._directory = directory
        self._before = before
        self._file = durations_file
        self._others = durations
        self._points: Sequence[TestPoint] = ()
        self._started: set[int] = set()
        self._failed: dict[str, bool] = {}
        self._durations: dict[str, float] = {}

    def __call__(self, event: RunEvent) -> None:
        """Take an event.

        :raise SetupError: if the file for the durations cannot be written.
        """
        match event:
            case RunStarted():
                self._points = event.points
            case CaseStarted():
                self._started.add(event.index)
            case CaseFinished(index, result) if index in self._started:
                self._started.discard(index)
                self._note(self._points[index].case, result.outcome, result.duration_s)
            case RunFinished() | RunStopped() | RunAborted() if self._failed:
                self._keep()

    def _note(self, name: str, outcome: Outcome, seconds: float) -> None:
        if outcome in UNDECIDED:
            return
        self._failed[name] = outcome.is_failure or self._failed.get(name, False)
        if outcome in RAN:
            self._durations[name] = round(seconds, 3)

    def _keep(self) -> None:
        failed = {name for name in self._before.failed if self._failed.get(name) is not False}
        failed |= {name for name, has_failed in self._failed.items() if has_failed}
        durations = {**self._before.durations, **self._durations}
        latest = dict(list(durations.items())[-MAX_NAMES:])
        with contextlib.suppress(OSError, RuntimeError):
            content = {"directory": str(self._directory), "failed": sorted(failed), "durations": latest}
            write_json_atomically(locate_cache_file("runs", str(self._directory)), content)
        self._failed.clear()
        if self._file:
            self._save(self._file)

    def _save(self, file: Path) -> None:
        durations = {**self._others, **self._durations}
        try:
            file.write_text(json.dumps(durations, indent=0, sort_keys=True) + "\n", encoding="utf-8")
        except OSError as error:
            raise SetupError(f"--save-durations: cannot write {file}: {error.strerror}") from None
