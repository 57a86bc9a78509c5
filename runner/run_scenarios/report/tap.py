"""Report the run as TAP 13, in a subset that every tested consumer accepts.

The plan is on line 2, and each case is one numbered test point, in plan order. There are no subtests, no "#" except for
directives, and a YAML block below a test point has every string quoted. Source: the TAP 13 specification.
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
# Some consumers read a final "{" as the start of a subtest.
NOT_PLAIN = re.compile(r"[#\\%\x00-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]|^\s|\s$|\{$")
NOT_YAML = "\u2028\u2029\ufeff\ufffe\uffff"
ESCAPES = {"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
Block = dict[str, object]


class TapReport:
    """Writes TAP to a stream, each test point once it and all earlier ones have results."""

    def __init__(self, stream: LineStream) -> None:
        self._stream = stream
        self._points: tuple[TestPoint, ...] = ()
        self._results: dict[int, Result] = {}
        self._printed = 0
        self._path = ""
        self._ended = False

    def __call__(self, event: RunEvent) -> None:
        """Handle an event."""
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
                self._abort(event.reason)
            case NothingToRun():
                self._report_nothing_to_run(event.reason, allowed=event.allowed)

    def _report_nothing_to_run(self, reason: str, *, allowed: bool) -> None:
        if allowed:
            self._stream.write("TAP version 13", f"1..0 # SKIP {escape_tap(reason)}")
        else:
            self._begin(1)
            self._stream.write(
                "not ok 1 - scenario discovery", *_format_yaml(_make_error_block(reason, "no-scenarios"))
            )
        self._ended = True

    def _abort(self, reason: str) -> None:
        """Bail out; cases without a result count as failed."""
        if not self._ended and not self._points:
            self._begin(1)
            self._stream.write("not ok 1 - runner setup", *_format_yaml(_make_error_block(reason, "setup")))
        self._bail_out(reason, Result(Outcome.BROKEN, note=reason))

    def _begin(self, points: int) -> None:
        self._stream.write("TAP version 13", f"1..{points}")

    def _bail_out(self, reason: str, default: Result) -> None:
        if self._ended:
            return
        while self._printed < len(self._points):
            self._print(self._results.pop(self._printed, default))
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
        self._stream.write(
            *heading, _format_point(self._printed, point, result), *_format_yaml(_make_block(point, result))
        )


def escape_tap(text: str) -> str:
    """Percent-encode what a consumer could misread in the description of a test point or a reason.

    The result is unique: characters that would be stripped or replaced are encoded too.
    """
    return NOT_PLAIN.sub(lambda found: "".join(f"%{byte:02X}" for byte in _encode(found[0])), text)


def _encode(text: str) -> bytes:
    """Encode a text, restoring bytes that were not valid UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _format_point(number: int, point: TestPoint, result: Result) -> str:
    line = f"{number} - {escape_tap(point.name)}"
    match result.outcome:
        case Outcome.SKIPPED:
            return f"ok {line} # SKIP {escape_tap(result.note)}"
        case Outcome.KNOWN_FAILURE:
            return f"not ok {line} # TODO {escape_tap(result.note)}"
        case outcome:
            return f"not ok {line}" if outcome.is_failure else f"ok {line}"


def _make_error_block(message: str, reason: str) -> Block:
    return {"message": message, "severity": "fail", "reason": reason}


def _make_block(point: TestPoint, result: Result) -> Block:
    block: Block = {}
    if result.failure:
        severity = "fail" if result.outcome.is_failure else "todo"
        block = {"message": _summarize(result.failure), "severity": severity, "reason": result.outcome.reason}
        block |= _make_failure_block(result.failure)
        block["repro"] = point.rerun
    elif result.outcome.is_failure:
        block = _make_error_block(result.note, result.outcome.reason)
    if result.outcome is not Outcome.SKIPPED and result.duration_s:
        block["duration_ms"] = round(result.duration_s * 1000, 1)
    block |= {"title": point.title, "artifacts": result.artifacts}
    return {key: value for key, value in block.items() if value not in ("", None, {}, [])}


def _summarize(failure: Failure) -> str:
    where = f"step {failure.step} ({failure.verb}): " if failure.step else ""
    return where + failure.diagnostic.message


def _make_failure_block(failure: Failure) -> Block:
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
        "stderr_vm": failure.stderr_vm,
        "stderr_tail": failure.stderr_tail,
    }


def _format_yaml(block: Block) -> list[str]:
    return ["  ---", *_format_mapping(block, "  "), "  ..."] if block else []


def _format_mapping(block: Block, indent: str) -> list[str]:
    lines = []
    for key, value in block.items():
        match value:
            case dict():
                inner = {name: each for name, each in value.items() if each != ""}
                lines += [f"{indent}{key}:", *_format_mapping(inner, indent + "  ")]
            case list():
                lines += [f"{indent}{key}:", *_format_items(value, indent + "  ")]
            case _:
                lines.append(f"{indent}{key}: {_format_scalar(value)}")
    return lines


def _format_items(items: list[Block], indent: str) -> list[str]:
    lines = []
    for item in items:
        first, *rest = _format_mapping(item, indent + "  ")
        lines += [f"{indent}- {first.strip()}", *rest]
    return lines


def _format_scalar(value: object) -> str:
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    text = str(value)
    if len(text) > TEXT_LIMIT:
        text = f"{text[:TEXT_LIMIT]}… ({len(text)} characters)"
    return f'"{"".join(map(_quote_char, text))}"'


def _quote_char(char: str) -> str:
    if char in ESCAPES:
        return ESCAPES[char]
    code = ord(char)
    if code < 0x20 or 0x7F <= code <= 0x9F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if char in NOT_YAML or 0xD800 <= code <= 0xDFFF else char
