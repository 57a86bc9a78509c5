"""Report the run as one HTML page.

The page contains a block of JSON for each case, and a script that displays them. The steps of a case are compressed,
and unpacked when the case is opened. Each case is written when it ends, so that memory use stays small.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources

from jinja2 import Environment, StrictUndefined

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.events import (
    CaseFinished,
    CaseStarted,
    DiagnosticsFound,
    NothingToRun,
    Outcome,
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
from run_scenarios.report.json_lines import failure_to_json, span_to_json
from run_scenarios.report.stream import LineStream

PAGE = resources.files("run_scenarios.report") / "page"
DATA_MARKER = "<!-- data -->"
# Browsers open a page of this size quickly; beyond it, passed cases lose their traffic.
TRAFFIC_LIMIT = 12 << 20
MAX_STEPS = 2000
MAX_FINDINGS = 500
LINE_LIMIT = 200
Json = dict[str, object]


@dataclass
class _RunningCase:
    """A running case: its worker, its start, and its steps by number."""

    worker: int
    at_s: float
    steps: dict[int, Json] = field(default_factory=dict)
    omitted: int = 0


class HtmlReport:
    """Writes a self-contained page.

    :param program: the version of run-scenarios.
    """

    def __init__(self, stream: LineStream, program: str) -> None:
        self._stream = stream
        self._program = program
        self._started = RunStarted(())
        self._findings: list[Json] = []
        self._running: dict[int, _RunningCase] = {}
        self._missing: set[int] = set()
        self._room = TRAFFIC_LIMIT
        head, _, self._tail = _render_page().partition(DATA_MARKER)
        self._stream.write(head)

    def __call__(self, event: RunEvent) -> None:
        """Handle an event."""
        match event:
            case DiagnosticsFound(diagnostics):
                self._findings += map(_finding_to_json, diagnostics[:MAX_FINDINGS])
            case RunStarted(points):
                self._started, self._missing = event, set(range(len(points)))
            case CaseStarted(index, worker, at_s):
                self._running[index] = _RunningCase(worker, at_s)
            case StepStarted() | StepFinished():
                self._add_step(event)
            case CaseFinished(index, result):
                self._finish(index, result)
            case RunFinished(seconds):
                self._end("", seconds)
            case RunStopped(reason) | RunAborted(reason) | NothingToRun(reason):
                self._end(reason, None)

    def _add_step(self, event: StepStarted | StepFinished) -> None:
        running = self._running.get(event.index)
        if running is None:
            return
        if isinstance(event, StepFinished):
            running.steps.get(event.number, {}).update(_finished_to_json(event))
        elif len(running.steps) < MAX_STEPS:
            running.steps[event.number] = _started_to_json(event)
        else:
            running.omitted += 1

    def _finish(self, index: int, result: Result) -> None:
        self._missing.discard(index)
        running = self._running.pop(index, None)
        point = self._started.points[index]
        case = {**_point_to_json(index, point), **_result_to_json(result)}
        if running:
            case |= {"worker": running.worker, "at": round(running.at_s, 4)}
        self._stream.write(_make_block("case", _dump_json(case)))
        if running or result.failure:
            self._stream.write(_make_block("about", self._pack(running or _RunningCase(0, 0.0), result), index))

    def _pack(self, running: _RunningCase, result: Result) -> str:
        """Compress what the page shows when a case is opened."""
        about: Json = {
            "failure": failure_to_json(result.failure) if result.failure else None,
            "steps": list(running.steps.values()),
            "omitted": running.omitted,
        }
        if self._room < 0 and not result.failure:
            for step in running.steps.values():
                step |= {"traffic": [], "omitted": _count_messages(step)}
        packed = base64.b64encode(zlib.compress(_dump_json(about).encode())).decode()
        self._room -= len(packed)
        return packed

    def _end(self, stopped: str, seconds: float | None) -> None:
        """Write the rest, once.

        :param stopped: why the run ended early, "" if it did not.
        """
        if not self._tail:
            return
        for index in sorted(self._missing):
            self._stream.write(_make_block("case", _dump_json(_point_to_json(index, self._started.points[index]))))
        started = self._started
        run: Json = {
            "program": self._program,
            "began": started.began,
            "command": started.command,
            "workers": started.workers,
            "qemus": started.qemus,
            "seconds": seconds,
            "stopped": stopped,
            "findings": self._findings,
        }
        self._stream.write(_make_block("run", _dump_json(run)), self._tail)
        self._tail = ""


def _render_page() -> str:
    """Return the page without its data; its security policy allows nothing but its own style and script."""
    style, script = (PAGE.joinpath(name).read_text("utf-8").strip() for name in ("page.css", "page.js"))
    template = Environment(undefined=StrictUndefined, autoescape=False).from_string(
        PAGE.joinpath("page.html.j2").read_text("utf-8")
    )
    allowed = {"style_hash": _hash_for_csp(style), "script_hash": _hash_for_csp(script)}
    return template.render(style=style, script=script, data=DATA_MARKER, **allowed)


def _hash_for_csp(text: str) -> str:
    """Return the source expression of a text in a Content-Security-Policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _make_block(kind: str, text: str, index: int | None = None) -> str:
    """Return a script element that holds data; `text` must not contain "<"."""
    about = "" if index is None else f' id="about-{index}"'
    return f'<script type="application/json" class="{kind}"{about}>{text}</script>'


def _dump_json(value: Json) -> str:
    """Encode a value as JSON that is safe within HTML and valid as UTF-8."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    return text.encode("utf-8", "replace").decode()


def _point_to_json(index: int, point: TestPoint) -> Json:
    case: Json = {"index": index, "name": point.name, "file": point.path}
    rest = {"case": point.case, "build": point.build, "title": point.title, "tags": point.tags, "rerun": point.rerun}
    return case | {key: value for key, value in rest.items() if value and value != point.name}


def _result_to_json(result: Result) -> Json:
    message = result.failure.diagnostic.message[:LINE_LIMIT] if result.failure else ""
    case: Json = {
        "outcome": result.outcome.reason,
        "kind": _make_css_class(result.outcome),
        "took": round(result.duration_s, 4),
    }
    rest = {"note": result.note, "message": message, "artifacts": result.artifacts}
    return case | {key: value for key, value in rest.items() if value}


def _make_css_class(outcome: Outcome) -> str:
    """Return the first word of an outcome's category, the class that the page filters by."""
    return outcome.category.partition(" ")[0]


def _started_to_json(event: StepStarted) -> Json:
    line = event.span.source.line(event.span.line).strip()[:LINE_LIMIT]
    about = {"number": event.number, "verb": event.verb, "name": event.name, "depth": event.depth}
    return {**about, "file": event.span.source.path, "line": event.span.line, "source": line}


def _finished_to_json(event: StepFinished) -> Json:
    traffic = [(round(each.at_s, 4), each.vm, each.kind, each.text) for each in event.traffic]
    times = {"at": round(event.began_s, 4), "took": round(event.duration_s, 4)}
    return {"skipped": event.skipped, **times, "traffic": traffic, "omitted": event.omitted}


def _count_messages(step: Json) -> int:
    """Return the number of messages of a step."""
    traffic, omitted = step.get("traffic"), step.get("omitted")
    return (len(traffic) if isinstance(traffic, Sequence) else 0) + (omitted if isinstance(omitted, int) else 0)


def _finding_to_json(found: Diagnostic) -> Json:
    return {"severity": found.severity, "code": found.code, "text": found.render(), **span_to_json(found.span)}
