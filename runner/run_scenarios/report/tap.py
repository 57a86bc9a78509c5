"""The run as TAP 13, in the subset that every consumer tried accepts. Imports model and errors.

The plan on line 2, one numbered point per case in plan order, no subtests, nothing but a directive behind `#`, and a
block of strictly quoted YAML below a point. Source: the TAP 13 specification.
"""

from __future__ import annotations

import json
import re

from run_scenarios.core.events import (
    CaseFinished,
    Failure,
    NothingToRun,
    Outcome,
    Result,
    RunAborted,
    RunEvent,
    RunStarted,
    RunStopped,
    TestPoint,
)
from run_scenarios.report.stream import LineStream

TEXT_LIMIT = 4000
# A final "{" would begin a subtest for some.
NOT_PLAIN = re.compile(r"[#\\%\x00-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]|^\s|\s$|\{$")
NOT_YAML = "\u2028\u2029\ufeff\ufffe\uffff"
ESCAPES = {"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
Block = dict[str, object]


class TapReport:
    """Writes TAP to a stream, each point as soon as it and all before it are known."""

    IGNORES_STEPS = True

    def __init__(self, stream: LineStream) -> None:
        self._stream = stream
        self._points: tuple[TestPoint, ...] = ()
        self._results: dict[int, Result] = {}
        self._printed = 0
        self._path = ""
        self._ended = False

    def __call__(self, event: RunEvent) -> None:
        """Take an event."""
        match event:
            case RunStarted():
                self._points = event.points
                self._begin(len(event.points))
            case CaseFinished():
                self._results[event.index] = event.result
                self._print_ready()
            case RunStopped():
                self._bail_out(event.reason, Result(Outcome.SKIPPED, note="not run, interrupted"))
            case RunAborted():
                self._cannot_go_on(event.reason)
            case NothingToRun():
                self._nothing_to_run(event.reason, allowed=event.allowed)

    def _nothing_to_run(self, reason: str, *, allowed: bool) -> None:
        if allowed:
            self._stream.write("TAP version 13", f"1..0 # SKIP {escape_tap(reason)}")
        else:
            self._begin(1)
            self._stream.write("not ok 1 - scenario discovery", *_yaml(_problem(reason, "no-scenarios")))
        self._ended = True

    def _cannot_go_on(self, reason: str) -> None:
        """A case that has no result yet counts as failed."""
        if not self._ended and not self._points:
            self._begin(1)
            self._stream.write("not ok 1 - runner setup", *_yaml(_problem(reason, "setup")))
        self._bail_out(reason, Result(Outcome.BROKEN, note=reason))

    def _begin(self, points: int) -> None:
        self._stream.write("TAP version 13", f"1..{points}")

    def _bail_out(self, reason: str, otherwise: Result) -> None:
        if self._ended:
            return
        while self._printed < len(self._points):
            self._print(self._results.pop(self._printed, otherwise))
        self._stream.write(f"Bail out! {escape_tap(reason)}")
        self._ended = True

    def _print_ready(self) -> None:
        while self._printed in self._results:
            self._print(self._results.pop(self._printed))

    def _print(self, result: Result) -> None:
        point = self._points[self._printed]
        self._printed += 1
        heading = [] if point.path == self._path else [f"# {escape_tap(point.path)}"]
        self._path = point.path
        self._stream.write(*heading, _point_line(self._printed, point, result), *_yaml(_block(point, result)))


def escape_tap(text: str) -> str:
    """Return text fit for a point's name or a reason: what a consumer could misread is percent-encoded.

    Two texts never become the same one: what would be stripped or replaced is encoded too.
    """
    return NOT_PLAIN.sub(lambda found: "".join(f"%{byte:02X}" for byte in _bytes(found[0])), text)


def _bytes(text: str) -> bytes:
    """Return the bytes of a text, those that are not UTF-8 as they were."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _point_line(number: int, point: TestPoint, result: Result) -> str:
    line = f"{number} - {escape_tap(point.name)}"
    match result.outcome:
        case Outcome.SKIPPED:
            return f"ok {line} # SKIP {escape_tap(result.note)}"
        case Outcome.KNOWN_FAILURE:
            return f"not ok {line} # TODO {escape_tap(result.note)}"
        case outcome:
            return f"not ok {line}" if outcome.is_failure else f"ok {line}"


def _problem(message: str, reason: str) -> Block:
    return {"message": message, "severity": "fail", "reason": reason}


def _block(point: TestPoint, result: Result) -> Block:
    block: Block = {}
    if result.failure:
        severity = "fail" if result.outcome.is_failure else "todo"
        block = {"message": _message(result.failure), "severity": severity, "reason": result.outcome.reason}
        block |= _failure_block(result.failure)
        block["repro"] = point.rerun
    elif result.outcome.is_failure:
        block = _problem(result.note, result.outcome.reason)
    if result.outcome is not Outcome.SKIPPED and result.duration_s:
        block["duration_ms"] = round(result.duration_s * 1000, 1)
    block |= {"title": point.title, "artifacts": result.artifacts}
    return {key: value for key, value in block.items() if value not in ("", None, {}, [])}


def _message(failure: Failure) -> str:
    where = f"step {failure.step} ({failure.verb}): " if failure.step else ""
    return where + failure.diagnostic.message


def _failure_block(failure: Failure) -> Block:
    span = failure.diagnostic.span
    return {
        "at": {"file": span.source.path, "line": span.line, "column": span.column},
        "step": {"index": failure.step, "verb": failure.verb, "name": failure.name, "rendered": failure.rendered}
        if failure.step
        else {},
        "wanted": failure.wanted,
        "found": failure.found,
        "hint": failure.diagnostic.hint,
        "details": "\n".join(failure.details),
        "called_from": [{"file": each.source.path, "line": each.line} for each in failure.stack],
        "signal": failure.signal,
        "timeout_ms": failure.timeout_ms,
        "log": "\n".join(failure.traffic),
        "stderr_tail": failure.stderr_tail,
    }


def _yaml(block: Block) -> list[str]:
    return ["  ---", *_mapping(block, "  "), "  ..."] if block else []


def _mapping(block: Block, indent: str) -> list[str]:
    lines = []
    for key, value in block.items():
        match value:
            case dict():
                inner = {name: each for name, each in value.items() if each != ""}
                lines += [f"{indent}{key}:", *_mapping(inner, indent + "  ")]
            case list():
                lines += [f"{indent}{key}:", *_items(value, indent + "  ")]
            case _:
                lines.append(f"{indent}{key}: {_scalar(value)}")
    return lines


def _items(items: list[Block], indent: str) -> list[str]:
    lines = []
    for item in items:
        first, *rest = _mapping(item, indent + "  ")
        lines += [f"{indent}- {first.strip()}", *rest]
    return lines


def _scalar(value: object) -> str:
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    text = str(value)
    if len(text) > TEXT_LIMIT:
        text = f"{text[:TEXT_LIMIT]}… ({len(text)} characters)"
    return f'"{"".join(map(_quoted, text))}"'


def _quoted(char: str) -> str:
    if char in ESCAPES:
        return ESCAPES[char]
    code = ord(char)
    if code < 0x20 or 0x7F <= code <= 0x9F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if char in NOT_YAML or 0xD800 <= code <= 0xDFFF else char
