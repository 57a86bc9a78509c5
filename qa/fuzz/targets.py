"""The fuzz targets: functions that take one input, and check that the result is sane and no exception escapes."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import io
import itertools
import shutil
import socket
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from run_scenarios.collection.collector import collect
from run_scenarios.core.errors import RunnerError, ScenarioError, StepFailed
from run_scenarios.core.events import CaseFinished, Outcome, Result, RunAborted, RunEvent, RunStarted, TestPoint
from run_scenarios.core.nodes import ExpressionNode, JsonObject, JsonValue, from_json, to_json
from run_scenarios.core.source import Source, Span
from run_scenarios.qemu.machine import Machine, _QmpSession
from run_scenarios.qemu.trace import Trace
from run_scenarios.report.stream import LineStream
from run_scenarios.report.tap import TapReport
from run_scenarios.scenario.confinement import find_escapes
from run_scenarios.syntax.matchers import check_matcher, find_mismatches
from run_scenarios.syntax.render import render

from tests.report.taplint import lint

NOWHERE = Span(Source("case.yaml", ""), 1, 1)
GREETING = b'{"QMP": {"version": {"qemu": {"major": 9}, "package": ""}, "capabilities": []}}\n{"return": {}}\n'
PLACE = Path(tempfile.mkdtemp(prefix="run-scenarios-fuzz-"))
atexit.register(shutil.rmtree, PLACE, ignore_errors=True)


def check_file(content: bytes) -> None:
    """Load, check and lint a file, and report the findings."""
    file = PLACE / "case.yaml"
    file.write_bytes(content)
    collection = collect([str(file)])
    for finding in collection.findings:
        assert finding.render()
    assert len(collection.invalid_files) <= 1
    assert all(case.load().steps for case in collection.cases)
    assert bool(collection.invalid_files) == any(each.severity == "error" for each in collection.findings)
    names = [*(each.path for each in collection.invalid_files), *(case.selector for case in collection.cases)]
    points = tuple(TestPoint(name, "case.yaml") for name in names)
    invalid = [CaseFinished(index, Result(Outcome.INVALID, note="wrong")) for index, _ in enumerate(points)]
    check_report([RunStarted(points), *invalid] if points else [])


def check_report(events: list[RunEvent]) -> None:
    """Write a TAP report that is aborted at the end, which must be well-formed."""
    stream = io.StringIO()
    report = TapReport(LineStream(stream))
    for event in events:
        report(event)
    report(RunAborted("the end"))
    assert not lint(stream.getvalue()), lint(stream.getvalue())


def check_result(points: list[TestPoint], results: list[Result]) -> None:
    """Report any results, in any order."""
    named = [
        TestPoint(f"{number} {point.name}", point.path, point.title, point.rerun) for number, point in enumerate(points)
    ]
    finished = [CaseFinished(index, result) for index, result in enumerate(results[: len(named)])]
    check_report([RunStarted(tuple(named)), *reversed(finished)] if named else [])


def check_expression(text: str, variables: JsonObject) -> None:
    """Evaluate an expression, whose value must be JSON."""
    with contextlib.suppress(ScenarioError):
        to_json(render(ExpressionNode(Span(Source("case.yaml", text), 1, 1), text), variables))


def check_match(expected: JsonValue, actual: JsonValue) -> None:
    """Match any value against any expected value."""
    node = from_json(expected, NOWHERE)
    with contextlib.suppress(ScenarioError, StepFailed):
        check_matcher(node)
        for each in find_mismatches(node, actual):
            assert str(each)


def check_confinement(verb: str, argument: JsonValue) -> None:
    """Check the confinement of any argument."""
    for each in find_escapes(verb, from_json(argument, NOWHERE)):
        assert each.render()


def check_qmp(greets: bool, answer: bytes) -> None:
    """Talk QMP to a peer that sends arbitrary bytes and then hangs up."""
    asyncio.run(_talk((GREETING if greets else b"") + answer))


async def _talk(says: bytes) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.sendall(says)
    theirs.shutdown(socket.SHUT_WR)
    with contextlib.closing(Trace(PLACE / "trace.jsonl")) as trace:
        session = _QmpSession("vm", lambda kind, message: machine._on_message(kind, message))
        machine = Machine("vm", cast(Any, _KilledChild()), session, trace)
        try:
            await machine._connect(ours)
            for _ in itertools.repeat(None, 3):
                await machine.execute({"execute": "query-status"})
            await machine.event_wait(lambda event: True)
        except RunnerError:
            assert machine.exitcode == -9
        finally:
            await machine.disconnect()
            theirs.close()


class _KilledChild(SimpleNamespace):
    """A child process that was killed."""

    exitcode = -9
    stderr = SimpleNamespace(tail=str)

    async def wait(self) -> int:
        """Return at once."""
        return -9
