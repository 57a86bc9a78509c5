"""The run as JUnit XML, for GitLab, Jenkins and their like. Imports model and console.

There is no standard. Source: junit-10.xsd of Jenkins' xUnit plugin, which refuses what does not fit it (an attribute
`file` of a case, for one); GitLab's "Unit test report examples": of a failure it shows the text, not the message.

A suite is a scenario file, and says how many of its cases failed before it holds the first; so the cases wait in a
temporary file, and memory stays small.
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

# All else but these is not in the production Char of XML 1.0, or is a line end that would become another one.
NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
FAULTS = (Outcome.BROKEN, Outcome.INVALID, Outcome.INTERRUPTED)
SKIPPED = (Outcome.SKIPPED, Outcome.KNOWN_FAILURE)


@dataclass
class _Suite:
    """What has been reported of one file: its cases by index, and where each is in the temporary file."""

    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class JUnitReport:
    """Writes JUnit XML once the run has ended: a suite for each file, its cases in the order of the plan.

    :param waiting: an empty file, which the cases are kept in until then.
    """

    IGNORES_STEPS = True

    def __init__(self, stream: LineStream, waiting: IO[bytes]) -> None:
        self._stream = stream
        self._waiting = waiting
        self._started = RunStarted(())
        self._missing: set[int] = set()
        self._suites: dict[str, _Suite] = {}
        self._ended = False

    def __call__(self, event: RunEvent) -> None:
        """Take an event."""
        match event:
            case RunStarted():
                self._started = event
                self._missing = set(range(len(event.points)))
                self._suites = {point.path: _Suite() for point in event.points}
            case CaseFinished(index, result):
                self._take(index, result)
            case RunFinished(seconds):
                self._end(seconds)
            case RunStopped(reason):
                self._end(None, Result(Outcome.SKIPPED, note=f"not run, {reason}"))
            case RunAborted(reason):
                self._cannot_go_on(reason)
            case NothingToRun(reason, allowed):
                if not allowed:
                    self._alone("scenario discovery", reason)
                self._end(None)

    def _cannot_go_on(self, reason: str) -> None:
        """A case that has no result yet is in error."""
        if not self._started.points:
            self._alone("runner setup", reason)
        self._end(None, Result(Outcome.BROKEN, note=reason))

    def _alone(self, name: str, reason: str) -> None:
        """Have one case, which no file is behind, say what is wrong."""
        self._started = RunStarted((TestPoint(name, "run-scenarios"),))
        self._suites = {"run-scenarios": _Suite()}
        self._take(0, Result(Outcome.BROKEN, note=reason))

    def _take(self, index: int, result: Result) -> None:
        point = self._started.points[index]
        suite = self._suites[point.path]
        case = _case(point, result)
        suite.places[index] = (self._waiting.tell(), self._waiting.write(_bytes(case)))
        suite.counts.update(child.tag for child in case)
        suite.seconds += result.duration_s
        self._missing.discard(index)

    def _end(self, seconds: float | None, otherwise: Result | None = None) -> None:
        """Write everything, once.

        :param otherwise: the result of cases that have none.
        """
        if self._ended:
            return
        self._ended = True
        if otherwise:
            for index in sorted(self._missing):
                self._take(index, otherwise)
        self._stream.write('<?xml version="1.0" encoding="UTF-8"?>', _opening(self._root(seconds)))
        for number, (path, suite) in enumerate(self._suites.items()):
            self._stream.write(_opening(self._element(number, path, suite)), *self._properties())
            for _, (place, length) in sorted(suite.places.items()):
                self._waiting.seek(place)
                self._stream.write(self._waiting.read(length).decode())
            self._stream.write("</testsuite>")
        self._stream.write("</testsuites>")

    def _root(self, seconds: float | None) -> Element:
        total = sum((suite.counts for suite in self._suites.values()), Counter[str]())
        tests = sum(len(suite.places) for suite in self._suites.values())
        time = {"time": _seconds(seconds)} if seconds is not None else {}
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

    def _element(self, number: int, path: str, suite: _Suite) -> Element:
        began = {"timestamp": self._started.began} if self._started.began else {}
        return Element(
            "testsuite",
            {
                "name": _clean(path),
                "id": str(number),
                "file": _clean(path),
                "tests": str(len(suite.places)),
                "failures": str(suite.counts["failure"]),
                "errors": str(suite.counts["error"]),
                "skipped": str(suite.counts["skipped"]),
                "time": _seconds(suite.seconds),
                **began,
            },
        )

    def _properties(self) -> Iterator[str]:
        if self._started.qemus:
            properties = Element("properties")
            for qemu in self._started.qemus:
                SubElement(properties, "property", name="qemu", value=_clean(qemu))
            yield _bytes(properties).decode()


def make_class_name(path: str) -> str:
    """Return the class of a scenario file's cases, whose packages are the directories: "scenarios.mirror"."""
    parts = PurePath(path).with_suffix("").parts
    return ".".join(part.replace(".", "_") for part in parts if part not in ("/", "..")) or path


def make_case_name(point: TestPoint) -> str:
    """Return the name of a case within its class: "mirror[format=qcow2]"."""
    stem = PurePath(point.path).with_suffix("")
    return point.name.removeprefix(f"{stem.parent}/") if point.name.startswith(str(stem)) else point.name


def _case(point: TestPoint, result: Result) -> Element:
    case = Element(
        "testcase",
        {
            "classname": _clean(make_class_name(point.path)),
            "name": _clean(make_case_name(point)),
            "time": _seconds(result.duration_s),
        },
    )
    kind = _kind(result.outcome)
    if kind:
        told = SubElement(case, kind, type=result.outcome.reason, message=_clean(_message(result)))
        told.text = _clean(_told(point, result))
    if result.failure and result.failure.traffic:
        SubElement(case, "system-out").text = _clean(_lines("last messages:", result.failure.traffic))
    if result.failure and result.failure.stderr_tail:
        SubElement(case, "system-err").text = _clean(_lines("QEMU's stderr:", [result.failure.stderr_tail]))
    return case


def _kind(outcome: Outcome) -> str:
    if outcome in SKIPPED:
        return "skipped"
    if outcome in FAULTS:
        return "error"
    return "failure" if outcome.is_failure else ""


def _message(result: Result) -> str:
    if result.outcome is Outcome.KNOWN_FAILURE:
        return f"known failure: {result.note}"
    if not result.failure:
        return result.note
    failure = result.failure
    where = f"step {failure.step} ({failure.verb}): " if failure.step else ""
    return where + failure.diagnostic.message


def _told(point: TestPoint, result: Result) -> str:
    return describe_failure(point, result, with_logs=False) if result.failure else _message(result)


def _lines(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title, *lines])


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _clean(text: str) -> str:
    return NOT_XML.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _bytes(element: Element) -> bytes:
    return tostring(element, encoding="unicode").encode()


def _opening(element: Element) -> str:
    """Return the start tag of an element without content."""
    return tostring(element, encoding="unicode").removesuffix(" />") + ">"
