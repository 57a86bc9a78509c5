"""One run writes several reports."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from run_scenarios.cli.reporters import Broadcast
from run_scenarios.core.events import RunEvent, RunFinished, RunStarted

from tests.report.taplint import lint
from tests.support import command
from tests.support.command import FAILS, PASSES, WAITS
from tests.support.scenarios import RunSteps

FILES = {"--tap": "r.tap", "--junit": "r.xml", "--html": "r.html", "--json": "r.jsonl"}
OPTIONS = [word for pair in FILES.items() for word in pair]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {"passes": PASSES, "fails": FAILS, "waits": WAITS}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def parts(place: Path) -> list[str]:
    """Return the names of finished and unfinished reports."""
    return sorted(each.name for each in place.glob("r.*"))


def test_one_run_writes_all_reports(run_command: RunSteps, place: Path) -> None:
    run = run_command("passes.yaml", "fails.yaml", *OPTIONS)
    assert (run.status, run.stdout) == (1, "")
    assert parts(place) == sorted(FILES.values())
    assert lint((place / "r.tap").read_text()) == []


@pytest.mark.slow
def test_only_the_json_report_has_its_name_before_it_is_complete(place: Path) -> None:
    assert command.run("passes.yaml", *OPTIONS).status == 0
    running = command.start("waits.yaml", *OPTIONS)
    command.eventually(lambda: "wait-event" in (place / "r.jsonl").read_text(), "the step to begin")
    pid = running.popen.pid
    assert parts(place) == [f"r.html.{pid}.part", "r.jsonl", f"r.tap.{pid}.part", f"r.xml.{pid}.part"]
    running.send(signal.SIGTERM)
    assert running.finish().status == 128 + signal.SIGTERM
    assert parts(place) == sorted(FILES.values())
    assert "Bail out! interrupted by SIGTERM" in (place / "r.tap").read_text()
    assert 'type="interrupted"' in (place / "r.xml").read_text()
    assert '"stopped":"interrupted by SIGTERM"' in (place / "r.html").read_text()
    lines = [json.loads(line) for line in (place / "r.jsonl").read_text().splitlines()]
    ends = [each["event"] for each in lines if each["event"] in ("case-finished", "run-stopped", "run-finished")]
    assert ends == ["case-finished", "run-stopped", "run-finished"]


@pytest.mark.parametrize("option", FILES)
def test_a_report_that_cannot_be_written_is_found_before_anything_runs(
    run_command: RunSteps, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("run_scenarios.cli.run_cases.collect_and_check_qmp", None)
    run = run_command("passes.yaml", option, "no-such-directory/report")
    assert run.status == 3
    assert "no-such-directory/report" in run.stderr
    assert "Bail out!" in run.stdout


def test_every_event_goes_to_every_report() -> None:
    first: list[RunEvent] = []
    second: list[RunEvent] = []
    events: list[RunEvent] = [RunStarted(()), RunFinished(1.0)]
    broadcast = Broadcast(Broadcast(first.append), second.append)
    for event in events:
        broadcast(event)
    assert (first, second) == (events, events)


def test_two_reports_do_not_share_a_file(run_command: RunSteps, place: Path) -> None:
    (place / "link").symlink_to("one")
    for other in ("./one", "link"):
        run = run_command("passes.yaml", "--tap", "one", "--junit", other)
        assert (run.status, run.stdout) == (2, "")
        assert run.stderr == f"run-scenarios: error: --junit {other[-4:] if other[0] == 'l' else 'one'}: " + (
            "this is also the file of --tap\n"
        )
    assert run_command("passes.yaml", "--tap", os.devnull, "--junit", os.devnull).status == 0
