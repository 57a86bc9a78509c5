"""The run as one page for a browser. Imports model, errors, and what is in `page/`.

The page holds data, a block of JSON for each case, and a script that makes all that is to be seen of it. What the steps
of a case did is packed, and unpacked once somebody opens the case. A case is written when it has ended, so that memory
stays small.
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
DATA_GOES_HERE = "<!-- data -->"
# A page of this size opens at once everywhere; what passed must do without its traffic from then on.
ROOM_FOR_TRAFFIC = 12 << 20
MAX_STEPS = 2000
MAX_FINDINGS = 500
LINE_LIMIT = 200
Json = dict[str, object]


@dataclass
class _Running:
    """A case on its way: on which worker, since when, and its steps by their numbers."""

    worker: int
    at_s: float
    steps: dict[int, Json] = field(default_factory=dict)
    omitted: int = 0


class HtmlReport:
    """Writes a page that needs nothing but itself.

    :param program: the version of the program that runs the cases.
    """

    def __init__(self, stream: LineStream, program: str) -> None:
        self._stream = stream
        self._program = program
        self._started = RunStarted(())
        self._findings: list[Json] = []
        self._running: dict[int, _Running] = {}
        self._missing: set[int] = set()
        self._room = ROOM_FOR_TRAFFIC
        head, _, self._tail = _page().partition(DATA_GOES_HERE)
        self._stream.write(head)

    def __call__(self, event: RunEvent) -> None:
        """Take an event."""
        match event:
            case DiagnosticsFound(diagnostics):
                self._findings += map(_finding, diagnostics[:MAX_FINDINGS])
            case RunStarted(points):
                self._started, self._missing = event, set(range(len(points)))
            case CaseStarted(index, worker, at_s):
                self._running[index] = _Running(worker, at_s)
            case StepStarted() | StepFinished():
                self._note_step(event)
            case CaseFinished(index, result):
                self._finish(index, result)
            case RunFinished(seconds):
                self._end("", seconds)
            case RunStopped(reason) | RunAborted(reason) | NothingToRun(reason):
                self._end(reason, None)

    def _note_step(self, event: StepStarted | StepFinished) -> None:
        running = self._running.get(event.index)
        if running is None:
            return
        if isinstance(event, StepFinished):
            running.steps.get(event.number, {}).update(_ended(event))
        elif len(running.steps) < MAX_STEPS:
            running.steps[event.number] = _begun(event)
        else:
            running.omitted += 1

    def _finish(self, index: int, result: Result) -> None:
        self._missing.discard(index)
        running = self._running.pop(index, None)
        point = self._started.points[index]
        case = {**_planned(index, point), **_result(result)}
        if running:
            case |= {"worker": running.worker, "at": round(running.at_s, 4)}
        self._stream.write(_block("case", _json(case)))
        if running or result.failure:
            self._stream.write(_block("about", self._packed(running or _Running(0, 0.0), result), index))

    def _packed(self, running: _Running, result: Result) -> str:
        """Return what is shown of a case once it is opened, in few characters."""
        about: Json = {
            "failure": failure_to_json(result.failure) if result.failure else None,
            "steps": list(running.steps.values()),
            "untold": running.omitted,
        }
        if self._room < 0 and not result.failure:
            for step in running.steps.values():
                step |= {"traffic": [], "untold": _count(step)}
        packed = base64.b64encode(zlib.compress(_json(about).encode())).decode()
        self._room -= len(packed)
        return packed

    def _end(self, stopped: str, seconds: float | None) -> None:
        """Write the rest, once.

        :param stopped: why the run did not come to its end, "" if it did.
        """
        if not self._tail:
            return
        for index in sorted(self._missing):
            self._stream.write(_block("case", _json(_planned(index, self._started.points[index]))))
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
        self._stream.write(_block("run", _json(run)), self._tail)
        self._tail = ""


def _page() -> str:
    """Return the page without its data; nothing but its own style and script may be loaded or run in it."""
    style, script = (PAGE.joinpath(name).read_text("utf-8").strip() for name in ("page.css", "page.js"))
    template = Environment(undefined=StrictUndefined, autoescape=False).from_string(
        PAGE.joinpath("page.html.j2").read_text("utf-8")
    )
    allowed = {"style_hash": _hash(style), "script_hash": _hash(script)}
    return template.render(style=style, script=script, data=DATA_GOES_HERE, **allowed)


def _hash(text: str) -> str:
    """Return the name of a text in a Content-Security-Policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _block(kind: str, text: str, index: int | None = None) -> str:
    """Return an element of data; `text` holds no "<"."""
    about = "" if index is None else f' id="about-{index}"'
    return f'<script type="application/json" class="{kind}"{about}>{text}</script>'


def _json(value: Json) -> str:
    """Return a value as JSON in which there is nothing that HTML or UTF-8 could stumble over."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    return text.encode("utf-8", "replace").decode()


def _planned(index: int, point: TestPoint) -> Json:
    case: Json = {"index": index, "name": point.name, "file": point.path}
    rest = {"case": point.case, "build": point.build, "title": point.title, "tags": point.tags, "rerun": point.rerun}
    return case | {key: value for key, value in rest.items() if value and value != point.name}


def _result(result: Result) -> Json:
    message = result.failure.diagnostic.message[:LINE_LIMIT] if result.failure else ""
    case: Json = {"outcome": result.outcome.reason, "kind": _kind(result.outcome), "took": round(result.duration_s, 4)}
    rest = {"note": result.note, "message": message, "artifacts": result.artifacts}
    return case | {key: value for key, value in rest.items() if value}


def _kind(outcome: Outcome) -> str:
    """Return which of the page's filters an outcome belongs to."""
    kinds = {Outcome.PASSED: "passed", Outcome.SKIPPED: "skipped", Outcome.KNOWN_FAILURE: "known"}
    return kinds.get(outcome, "failed")


def _begun(event: StepStarted) -> Json:
    line = event.span.source.line(event.span.line).strip()[:LINE_LIMIT]
    about = {"number": event.number, "verb": event.verb, "name": event.name, "depth": event.depth}
    return {**about, "file": event.span.source.path, "line": event.span.line, "source": line}


def _ended(event: StepFinished) -> Json:
    traffic = [(round(each.at_s, 4), each.vm, each.kind, each.text) for each in event.traffic]
    times = {"at": round(event.began_s, 4), "took": round(event.duration_s, 4)}
    return {"skipped": event.skipped, **times, "traffic": traffic, "untold": event.omitted}


def _count(step: Json) -> int:
    """Return how many messages a step has had."""
    traffic, untold = step.get("traffic"), step.get("untold")
    return (len(traffic) if isinstance(traffic, Sequence) else 0) + (untold if isinstance(untold, int) else 0)


def _finding(found: Diagnostic) -> Json:
    return {"severity": found.severity, "code": found.code, "text": found.render(), **span_to_json(found.span)}
