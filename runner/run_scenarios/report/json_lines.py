"""Report the run as JSON Lines, one event per line; `docs/json-report.md` documents every key.

Each line is written when its event happens, so that programs can follow the file, and a run that was killed leaves what
came before. Keys and events are never changed or removed within a version of the format, only added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from run_scenarios.core.diagnostics import Diagnostic, format_excerpt
from run_scenarios.core.events import (
    CaseFinished,
    CaseStarted,
    DiagnosticsFound,
    Failure,
    MutantFinished,
    NothingToRun,
    Notice,
    Result,
    RunAborted,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    StepFinished,
    StepStarted,
    TestPoint,
)
from run_scenarios.core.source import Span
from run_scenarios.report.stream import LineStream

FORMAT, VERSION = "run-scenarios", 1
Line = dict[str, object]


class JsonReport:
    """Writes each event as one or more lines of JSON, after a line with the version of the format.

    :param program: the version of run-scenarios.
    """

    def __init__(self, stream: LineStream, program: str) -> None:
        self._stream = stream
        self._points: Sequence[TestPoint] = ()
        self._write({"event": "report", "format": FORMAT, "version": VERSION, "program": program})

    def __call__(self, event: RunEvent) -> None:
        """Handle an event."""
        if isinstance(event, RunStarted):
            self._points = event.points
        for line in self._event_to_lines(event):
            self._write(line)

    def _write(self, line: Line) -> None:
        self._stream.write(json.dumps(line))

    def _event_to_lines(self, event: RunEvent) -> Iterator[Line]:
        match event:
            case DiagnosticsFound(diagnostics):
                yield from map(_finding_to_line, diagnostics)
            case RunStarted(points):
                yield _run_started_to_line(event)
                yield from (_point_to_line(index, point) for index, point in enumerate(points))
            case CaseStarted(index, worker, at_s):
                yield {"event": "case-started", **self._case_to_json(index), "worker": worker, "at_s": round(at_s, 6)}
            case StepStarted():
                yield _step_started_to_line(event)
            case StepFinished():
                yield _step_finished_to_line(event)
            case CaseFinished(index, result):
                yield {"event": "case-finished", **self._case_to_json(index), **_result_to_json(result)}
            case MutantFinished(index):
                yield {"event": "mutant-finished", **self._case_to_json(index), **_mutant_to_json(event)}
            case _:
                yield _run_event_to_line(event)

    def _case_to_json(self, index: int) -> Line:
        return {"index": index, "name": self._points[index].name}


def span_to_json(span: Span) -> dict[str, object]:
    """Return a position as JSON."""
    return {"file": span.source.path, "line": span.line, "column": span.column}


def _run_event_to_line(event: Notice | NothingToRun | RunStopped | RunAborted | RunFinished) -> Line:
    match event:
        case Notice(text):
            return {"event": "notice", "text": text}
        case NothingToRun(reason, allowed):
            return {"event": "nothing-to-run", "reason": reason, "allowed": allowed}
        case RunStopped(reason):
            return {"event": "run-stopped", "reason": reason}
        case RunAborted(reason):
            return {"event": "run-aborted", "reason": reason}
        case RunFinished(duration_s):
            return {"event": "run-finished", "duration_s": round(duration_s, 6)}


def _finding_to_line(found: Diagnostic) -> Line:
    about = {"severity": found.severity, "code": found.code, "message": found.message, "hint": found.hint}
    return {"event": "finding", **about, **span_to_json(found.span)}


def _run_started_to_line(event: RunStarted) -> Line:
    return {
        "event": "run-started",
        "began": event.began,
        "command": event.command,
        "workers": event.workers,
        "qemus": event.qemus,
        "cases": len(event.points),
    }


def _point_to_line(index: int, point: TestPoint) -> Line:
    return {
        "event": "case-planned",
        "index": index,
        "name": point.name,
        "case": point.case,
        "build": point.build,
        "file": point.path,
        "title": point.title,
        "tags": point.tags,
        "rerun": point.rerun,
    }


def _step_started_to_line(event: StepStarted) -> Line:
    about = {"verb": event.verb, "name": event.name, "depth": event.depth}
    return {"event": "step-started", "index": event.index, "step": event.number, **about, **span_to_json(event.span)}


def _step_finished_to_line(event: StepFinished) -> Line:
    times = {"began_s": round(event.began_s, 6), "duration_s": round(event.duration_s, 6)}
    about = {"step": event.number, "verb": event.verb, "passed": event.passed, "skipped": event.skipped}
    return {"event": "step-finished", "index": event.index, **about, **times}


def _mutant_to_json(event: MutantFinished) -> Line:
    trials = [{"name": name, "outcome": outcome} for name, outcome in event.trials]
    about = {"change": event.change, "verdict": event.verdict, "reason": event.reason, "trials": trials}
    return {**about, **span_to_json(event.span)}


def _result_to_json(result: Result) -> Mapping[str, object]:
    return {
        "outcome": result.outcome.reason,
        "failed": result.outcome.is_failure,
        "duration_s": round(result.duration_s, 6),
        "note": result.note,
        "artifacts": result.artifacts,
        "failure": failure_to_json(result.failure) if result.failure else None,
    }


def failure_to_json(failure: Failure) -> dict[str, object]:
    """Return a failure as JSON."""
    found = failure.diagnostic
    return {
        "message": found.message,
        "hint": found.hint,
        **span_to_json(found.span),
        "excerpt": format_excerpt(found.span, found.hint),
        "step": failure.step,
        "verb": failure.verb,
        "name": failure.name,
        "path": failure.path,
        "expected": failure.wanted,
        "found": failure.found,
        "details": failure.details,
        "ran": failure.rendered,
        "called_from": [span_to_json(span) for span in failure.stack],
        "last_messages": failure.traffic,
        "stderr_vm": failure.stderr_vm,
        "stderr": failure.stderr_tail,
        "signal": failure.signal,
        "timeout_ms": failure.timeout_ms,
    }
