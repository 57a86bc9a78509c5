"""The run as JSON, an event a line, for programs. Imports model, errors; `docs/json-report.md` describes every key.

Each line is written when its event happens, so that the file can be followed, and tells what came before the end of a
run that was killed. What is here stays in this version; readers are told to pass over what they do not know.
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
    """Writes every event as one line of JSON or more, and before all of them a line with the version of the format.

    :param program: the version of the program that runs the cases.
    """

    def __init__(self, stream: LineStream, program: str) -> None:
        self._stream = stream
        self._points: Sequence[TestPoint] = ()
        self._write({"event": "report", "format": FORMAT, "version": VERSION, "program": program})

    def __call__(self, event: RunEvent) -> None:
        """Take an event."""
        if isinstance(event, RunStarted):
            self._points = event.points
        for line in self._lines(event):
            self._write(line)

    def _write(self, line: Line) -> None:
        self._stream.write(json.dumps(line))

    def _lines(self, event: RunEvent) -> Iterator[Line]:
        match event:
            case DiagnosticsFound(diagnostics):
                yield from map(_finding, diagnostics)
            case RunStarted(points):
                yield _run_started(event)
                yield from (_case_planned(index, point) for index, point in enumerate(points))
            case CaseStarted(index, worker, at_s):
                yield {"event": "case-started", **self._case(index), "worker": worker, "at_s": round(at_s, 6)}
            case StepStarted():
                yield _step_started(event)
            case StepFinished():
                yield _step_finished(event)
            case CaseFinished(index, result):
                yield {"event": "case-finished", **self._case(index), **_result(result)}
            case MutantFinished(index):
                yield {"event": "mutant-finished", **self._case(index), **_mutant(event)}
            case _:
                yield _of_the_run(event)

    def _case(self, index: int) -> Line:
        return {"index": index, "name": self._points[index].name}


def span_to_json(span: Span) -> dict[str, object]:
    """Return where something is, as the reports for programs have it."""
    return {"file": span.source.path, "line": span.line, "column": span.column}


def _of_the_run(event: Notice | NothingToRun | RunStopped | RunAborted | RunFinished) -> Line:
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


def _finding(found: Diagnostic) -> Line:
    about = {"severity": found.severity, "code": found.code, "message": found.message, "hint": found.hint}
    return {"event": "finding", **about, **span_to_json(found.span)}


def _run_started(event: RunStarted) -> Line:
    return {
        "event": "run-started",
        "began": event.began,
        "command": event.command,
        "workers": event.workers,
        "qemus": event.qemus,
        "cases": len(event.points),
    }


def _case_planned(index: int, point: TestPoint) -> Line:
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


def _step_started(event: StepStarted) -> Line:
    about = {"verb": event.verb, "name": event.name, "depth": event.depth}
    return {"event": "step-started", "index": event.index, "step": event.number, **about, **span_to_json(event.span)}


def _step_finished(event: StepFinished) -> Line:
    times = {"began_s": round(event.began_s, 6), "duration_s": round(event.duration_s, 6)}
    about = {"step": event.number, "verb": event.verb, "passed": event.passed, "skipped": event.skipped}
    return {"event": "step-finished", "index": event.index, **about, **times}


def _mutant(event: MutantFinished) -> Line:
    trials = [{"name": name, "outcome": outcome} for name, outcome in event.trials]
    about = {"change": event.change, "verdict": event.verdict, "reason": event.reason, "trials": trials}
    return {**about, **span_to_json(event.span)}


def _result(result: Result) -> Mapping[str, object]:
    return {
        "outcome": result.outcome.reason,
        "failed": result.outcome.is_failure,
        "duration_s": round(result.duration_s, 6),
        "note": result.note,
        "artifacts": result.artifacts,
        "failure": failure_to_json(result.failure) if result.failure else None,
    }


def failure_to_json(failure: Failure) -> dict[str, object]:
    """Return why a case did not pass."""
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
        "stderr": failure.stderr_tail,
        "signal": failure.signal,
        "timeout_ms": failure.timeout_ms,
    }
