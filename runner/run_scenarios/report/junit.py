"""Report the run as JUnit XML, for CI systems such as GitLab and Jenkins.

There is no standard. Sources: junit-10.xsd of Jenkins' xUnit plugin, which rejects anything else (such as an attribute
`file` of a case); GitLab's "Unit test report examples", which shows the text of a failure, not its message.

A suite is a scenario file. The counts in its start tag precede its cases, so the cases are kept in a temporary file
until the end.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import IO
from xml.etree.ElementTree import Element, SubElement, tostring

from run_scenarios.core.events import (
    CaseFinished,
    NothingToRun,
    Outcome,
    Result,
    RunAborted,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    TestPoint,
)
from run_scenarios.report.console import describe_failure
from run_scenarios.report.stream import LineStream

# Characters that XML 1.0 excludes from its production Char, and line ends that a parser would normalize.
NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
FAULTS = (Outcome.BROKEN, Outcome.INVALID, Outcome.INTERRUPTED)
SKIPPED = (Outcome.SKIPPED, Outcome.KNOWN_FAILURE)


@dataclass
class _Suite:
    """The finished cases of one file: offset and length of each in the temporary file, by index."""

    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class JUnitReport:
    """Writes JUnit XML when the run has ended: a suite for each file, with its cases in plan order.

    :param buffer: an empty file to keep the cases in until then.
    """

    def __init__(self, stream: LineStream, buffer: IO[bytes]) -> None:
        self._stream = stream
        self._buffer = buffer
        self._started = RunStarted(())
        self._missing: set[int] = set()
        self._suites: dict[str, _Suite] = {}
        self._ended = False

    def __call__(self, event: RunEvent) -> None:
        """Handle an event."""
        match event:
            case RunStarted():
                self._started = event
                self._missing = set(range(len(event.points)))
                self._suites = {point.path: _Suite() for point in event.points}
            case CaseFinished(index, result):
                self._add_case(index, result)
            case RunFinished(seconds):
                self._end(seconds)
            case RunStopped(reason):
                self._end(None, Result(Outcome.SKIPPED, note=f"not run, {reason}"))
            case RunAborted(reason):
                self._abort(reason)
            case NothingToRun(reason, allowed):
                if not allowed:
                    self._report_single_error("scenario discovery", reason)
                self._end(None)

    def _abort(self, reason: str) -> None:
        """End the report; cases without a result count as errors."""
        if not self._started.points:
            self._report_single_error("runner setup", reason)
        self._end(None, Result(Outcome.BROKEN, note=reason))

    def _report_single_error(self, name: str, reason: str) -> None:
        """Report an error as the only case, which belongs to no file."""
        self._started = RunStarted((TestPoint(name, "run-scenarios"),))
        self._suites = {"run-scenarios": _Suite()}
        self._add_case(0, Result(Outcome.BROKEN, note=reason))

    def _add_case(self, index: int, result: Result) -> None:
        point = self._started.points[index]
        suite = self._suites[point.path]
        case = _case_to_xml(point, result)
        suite.places[index] = (self._buffer.tell(), self._buffer.write(_serialize(case)))
        suite.counts.update(child.tag for child in case)
        suite.seconds += result.duration_s
        self._missing.discard(index)

    def _end(self, seconds: float | None, default: Result | None = None) -> None:
        """Write everything, once.

        :param default: the result of cases that have none.
        """
        if self._ended:
            return
        self._ended = True
        if default:
            for index in sorted(self._missing):
                self._add_case(index, default)
        self._stream.write('<?xml version="1.0" encoding="UTF-8"?>', _start_tag(self._make_root(seconds)))
        for number, (path, suite) in enumerate(self._suites.items()):
            self._stream.write(_start_tag(self._make_suite(number, path, suite)), *self._format_properties())
            for _, (place, length) in sorted(suite.places.items()):
                self._buffer.seek(place)
                self._stream.write(self._buffer.read(length).decode())
            self._stream.write("</testsuite>")
        self._stream.write("</testsuites>")

    def _make_root(self, seconds: float | None) -> Element:
        total = sum((suite.counts for suite in self._suites.values()), Counter[str]())
        tests = sum(len(suite.places) for suite in self._suites.values())
        time = {"time": _format_seconds(seconds)} if seconds is not None else {}
        return Element(
            "testsuites",
            {
                "name": "run-scenarios",
                "tests": str(tests),
                "failures": str(total["failure"]),
                "errors": str(total["error"]),
                **time,
            },
        )

    def _make_suite(self, number: int, path: str, suite: _Suite) -> Element:
        began = {"timestamp": self._started.began} if self._started.began else {}
        return Element(
            "testsuite",
            {
                "name": _escape_non_xml(path),
                "id": str(number),
                "file": _escape_non_xml(path),
                "tests": str(len(suite.places)),
                "failures": str(suite.counts["failure"]),
                "errors": str(suite.counts["error"]),
                "skipped": str(suite.counts["skipped"]),
                "time": _format_seconds(suite.seconds),
                **began,
            },
        )

    def _format_properties(self) -> Iterator[str]:
        if self._started.qemus:
            properties = Element("properties")
            for qemu in self._started.qemus:
                SubElement(properties, "property", name="qemu", value=_escape_non_xml(qemu))
            yield _serialize(properties).decode()


def make_class_name(path: str) -> str:
    """Return the class name of the cases of a file, with directories as packages: "scenarios.mirror"."""
    parts = PurePath(path).with_suffix("").parts
    return ".".join(part.replace(".", "_") for part in parts if part not in ("/", "..")) or path


def make_case_name(point: TestPoint) -> str:
    """Return the name of a case within its class: "mirror[format=qcow2]"."""
    stem = PurePath(point.path).with_suffix("")
    return point.name.removeprefix(f"{stem.parent}/") if point.name.startswith(str(stem)) else point.name


def _case_to_xml(point: TestPoint, result: Result) -> Element:
    case = Element(
        "testcase",
        {
            "classname": _escape_non_xml(make_class_name(point.path)),
            "name": _escape_non_xml(make_case_name(point)),
            "time": _format_seconds(result.duration_s),
        },
    )
    tag = _choose_tag(result.outcome)
    if tag:
        element = SubElement(case, tag, type=result.outcome.reason, message=_escape_non_xml(_summarize(result)))
        element.text = _escape_non_xml(_describe(point, result))
    if result.failure and result.failure.traffic:
        SubElement(case, "system-out").text = _escape_non_xml(_join("last messages:", result.failure.traffic))
    if result.failure and result.failure.stderr_tail:
        title = f"stderr of '{result.failure.stderr_vm}':"
        SubElement(case, "system-err").text = _escape_non_xml(_join(title, [result.failure.stderr_tail]))
    return case


def _choose_tag(outcome: Outcome) -> str:
    if outcome in SKIPPED:
        return "skipped"
    if outcome in FAULTS:
        return "error"
    return "failure" if outcome.is_failure else ""


def _summarize(result: Result) -> str:
    if result.outcome is Outcome.KNOWN_FAILURE:
        return f"known failure: {result.note}"
    if not result.failure:
        return result.note
    failure = result.failure
    where = f"step {failure.step} ({failure.verb}): " if failure.step else ""
    return where + failure.diagnostic.message


def _describe(point: TestPoint, result: Result) -> str:
    return describe_failure(point, result, with_logs=False) if result.failure else _summarize(result)


def _join(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title, *lines])


def _format_seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _escape_non_xml(text: str) -> str:
    return NOT_XML.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _serialize(element: Element) -> bytes:
    return tostring(element, encoding="unicode").encode()


def _start_tag(element: Element) -> str:
    """Return the start tag of an element without content."""
    return tostring(element, encoding="unicode").removesuffix(" />") + ">"
