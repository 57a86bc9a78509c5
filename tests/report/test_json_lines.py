"""The JSON report: every line as documented, written when its event happens."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from run_scenarios.core.events import (
    DiagnosticsFound,
    MutantFinished,
    NothingToRun,
    Notice,
    Outcome,
    RunAborted,
    RunStopped,
)
from run_scenarios.report.json_lines import VERSION, JsonReport

from tests.report.events import FAILED, events_of_outcomes, fed
from tests.report.hostile import hostile_texts
from tests.support import command
from tests.support.command import FAILS, PASSES, WAITS
from tests.support.scenarios import RunSteps

DOCUMENT = Path(__file__).parents[2] / "docs/json-report.md"
Line = dict[str, Any]


def documented() -> dict[str, set[str]]:
    """Return the documented keys of each event."""
    events: dict[str, set[str]] = {}
    for line in DOCUMENT.read_text().splitlines():
        if found := re.match(r"### `(.+)`", line):
            events[found[1]] = keys = set()
        elif line.startswith("| `"):
            keys |= set(re.findall(r"`(\w+)`", line.split("|")[1]))
    return events


def lines_of(text: str) -> list[Line]:
    """Parse the lines of a report, and check that the last one is complete."""
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_documented_events_and_keys_are_exactly_those_written() -> None:
    assert FAILED.failure
    further = (
        DiagnosticsFound((FAILED.failure.diagnostic,)),
        MutantFinished(0, FAILED.failure.diagnostic.span, "broken", "survived", trials=(("a", "passed"),)),
        Notice("n"),
        NothingToRun("r", allowed=True),
        RunStopped("r"),
        RunAborted("r"),
    )
    lines = lines_of(fed(lambda stream: JsonReport(stream, "1.0"), *events_of_outcomes(), *further))
    written = {each["event"]: set(each) - {"event"} for each in lines}
    written["failure"] = {key for each in lines if each.get("failure") for key in each["failure"]}
    assert written == documented()


def test_the_documentation_has_every_outcome() -> None:
    row = next(line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `outcome`"))
    assert re.findall(r"`([\w-]+)`", row)[1:] == [each.reason for each in Outcome]


def test_every_text_stays_on_one_line() -> None:
    for text in hostile_texts(50):
        report = fed(lambda stream: JsonReport(stream, "1.0"), *events_of_outcomes(text))
        assert report.isascii()
        counts = Counter(each["event"] for each in lines_of(report))
        assert counts["case-finished"] == counts["case-planned"] == len(Outcome)


def test_a_run_is_reported_from_version_to_end(run_command: RunSteps, tmp_path: Path) -> None:
    (tmp_path / "passes.yaml").write_text(PASSES)
    (tmp_path / "fails.yaml").write_text(FAILS)
    run = run_command("passes.yaml", "fails.yaml", "--json", "run.jsonl")
    lines = lines_of((tmp_path / "run.jsonl").read_text())
    assert (lines[0]["event"], lines[0]["version"], lines[-1]["event"]) == ("report", VERSION, "run-finished")
    started = next(each for each in lines if each["event"] == "run-started")
    assert started["command"] == "run-scenarios passes.yaml fails.yaml --json run.jsonl"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", started["began"])
    ends = {each["name"]: each for each in lines if each["event"] == "case-finished"}
    assert (ends["passes"]["outcome"], ends["fails"]["outcome"], run.status) == ("passed", "assertion", 1)
    assert (ends["fails"]["failure"]["file"], ends["fails"]["failure"]["line"]) == ("fails.yaml", 3)
    steps = [each for each in lines if each["event"] == "step-finished" and each["index"] == ends["passes"]["index"]]
    assert [(each["step"], each["verb"], each["passed"]) for each in steps] == [
        (1, "launch", True),
        (2, "qmp", True),
        (3, "assert", True),
    ]


def test_a_killed_run_leaves_the_events_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "waits.yaml").write_text(WAITS)
    running = command.start("waits.yaml", "--json", "run.jsonl")
    file = tmp_path / "run.jsonl"
    command.eventually(lambda: file.exists() and "wait-event" in file.read_text(), "the step to begin")
    running.send(signal.SIGKILL)
    running.finish()
    assert lines_of(file.read_text())[-1]["verb"] == "wait-event"


def test_the_option_requires_a_file(capsys: pytest.CaptureFixture[str], run_command: RunSteps) -> None:
    with pytest.raises(SystemExit):
        run_command("a.yaml", "--json")
    assert "--json needs a FILE" in capsys.readouterr().err
