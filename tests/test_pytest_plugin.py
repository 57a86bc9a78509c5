"""The pytest plugin, in pytest processes of its own."""

from __future__ import annotations

import importlib.metadata
import os
import re
import signal
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import command
from tests.support.scenarios import Run

pytestmark = pytest.mark.slow

# Loading Hypothesis takes a second, and it is not needed.
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:hypothesispytest")
DEADLINE_S = 60.0
MATRIX = 'scenario: m\ntags: [grid, "two words"]\nvariables: {v: 1}\nmatrix: {n: [1, 22]}\n'
MATRIX += 'steps:\n  - assert: "{{ n > 0 and v == 1 }}"\n'
DOUBTFUL = "scenario: asserts nothing\nsteps: [launch]\n"
DEPRECATED = (
    "scenario: s\nsteps:\n  - launch\n  - qmp: {execute: drive-backup, arguments: {device: d, target: t, sync: full}}\n"
)
DEPRECATED += "    error: {class: GenericError, desc: {$contains: Cannot find}}\n"
MISSPELT = "scenario: s\nsteps:\n  - launch\n  - qmp: query-sttus\n"
ALL = {
    "crashes": command.CRASHES,
    "fails": command.FAILS,
    "known": command.FAILS + "expected-failure: 'gitlab #1234'\n",
    "late": command.WAITS + "timeout: 1\n",
    "matrix": MATRIX,
    "passes": command.PASSES + "tags: [quick]\n",
    "skips": command.SKIPS,
    "surprise": command.PASSES + "expected-failure: 'gitlab #1234'\n",
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in a project with scenarios, and kill what a failed test leaves running."""
    if "run-scenarios" not in importlib.metadata.entry_points(group="pytest11").names:
        pytest.fail("the plugin is not installed; run: pip install --editable '.[dev]'")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "scenarios").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    yield tmp_path / "scenarios"
    command.end_all()


def write(directory: Path, **files: str) -> None:
    """Write scenario files."""
    for name, content in files.items():
        (directory / f"{name}.yaml").write_text(content)


def run_pytest(*arguments: str, env: dict[str, str] | None = None) -> Run:
    """Run pytest to its end."""
    return command.start(*arguments, env={"COLUMNS": "200", **(env or {})}, program=PYTEST).finish(DEADLINE_S)


def outcomes(run: Run) -> dict[str, str]:
    """Return the outcome of each test, by its ID without the directory, as `-rA` prints it."""
    told = re.findall(r"^([A-Z]+) (?:\[1\] )?scenarios/(\S+)", run.stdout, re.M)
    return {name: outcome.lower() for outcome, name in told}


def test_each_outcome_becomes_an_outcome_of_pytest(place: Path) -> None:
    write(place, **ALL)
    run = run_pytest("scenarios", "-n", "2", "-rA", "--junitxml", "junit.xml", "--durations", "1")
    assert run.status == 1, run.stdout + run.stderr
    assert outcomes(run) == {
        "crashes.yaml::crashes": "failed",
        "fails.yaml::fails": "failed",
        "known.yaml::known": "xfail",
        "late.yaml::late": "failed",
        "matrix.yaml::n=1": "passed",
        "matrix.yaml::n=22": "passed",
        "passes.yaml::passes": "passed",
        "skips.yaml:1:": "skipped",
        "surprise.yaml::surprise": "failed",
    }
    assert "Traceback" not in run.stdout
    assert re.search(r"skips.yaml:1: QEMU \S+ has no QMP command 'get-win32-socket'", run.stdout)
    assert "known.yaml::known - gitlab #1234" in run.stdout
    assert "qemu-crash: VM 'vm' was killed by SIGSEGV" in run.stdout
    assert "slowest 1 durations" in run.stdout
    cases = list(ElementTree.parse("junit.xml").iter("testcase"))
    assert [case.get("name") for case in cases if case.find("failure") is not None].count("fails") == 1
    assert len(cases) == 9


@pytest.mark.parametrize("arguments", [[], ["-n", "1"]], ids=["alone", "xdist"])
@pytest.mark.parametrize("ci", ["", "true"])
def test_a_failure_is_shown_once_as_the_command_prints_it(ci: str, arguments: list[str], place: Path) -> None:
    write(place, fails=command.FAILS)
    told = command.run("scenarios/fails.yaml").stderr
    shown = run_pytest("scenarios", *arguments, env={"CI": ci}).stdout
    assert "\nFAILED scenarios/fails.yaml::fails - scenarios/fails.yaml:3:5: assertion: " in shown
    story, _, artifacts = told.partition("\n\n")[0].partition("  artifacts: ")
    assert story in shown
    assert artifacts.splitlines()[1] in shown
    (kept,) = re.findall(r"  artifacts: (.*)", shown)
    assert (Path(kept) / "trace.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (["scenarios", "-k", "22 or quick"], ["matrix.yaml::n=22", "passes.yaml::passes"]),
        (["scenarios", "-k", "grid and not 22"], ["matrix.yaml::n=1"]),
        (["scenarios", "-m", "quick", "--strict-markers"], ["passes.yaml::passes"]),
        (["scenarios/matrix.yaml::n=22"], ["matrix.yaml::n=22"]),
        (["scenarios", "--scenario-define", "n=1", "--deselect", "scenarios/passes.yaml"], ["matrix.yaml::n=1"]),
        ([], []),
        (["-o", "scenario_paths=scenarios/passes.yaml"], ["passes.yaml::passes"]),
        (["scenarios", "-o", "scenario_paths="], []),
    ],
)
def test_cases_are_selected(place: Path, arguments: list[str], chosen: list[str]) -> None:
    write(place, matrix=MATRIX, passes=ALL["passes"])
    run = run_pytest("-W", "error", "--collect-only", "-q", *arguments)
    assert re.findall(r"^scenarios/(.*::.*)$", run.stdout, re.M) == chosen
    assert run.status == (0 if chosen else 5), run.stdout + run.stderr


def test_pytest_can_stop_at_and_rerun_failures(place: Path) -> None:
    write(place, a=command.PASSES, b=command.FAILS, c=command.PASSES)
    assert outcomes(run_pytest("scenarios", "-x", "-rA")) == {"a.yaml::a": "passed", "b.yaml::b": "failed"}
    write(place, b=command.PASSES)
    assert outcomes(run_pytest("scenarios", "--lf", "-rA")) == {"b.yaml::b": "passed"}


def test_a_failed_case_with_colons_in_a_value_is_run_again(place: Path) -> None:
    write(place, m="scenario: m\nmatrix: {n: ['a::b', c]}\nsteps: [{assert: \"{{ n == 'c' }}\"}]\n")
    names = {"m.yaml::n=a%3A%3Ab": "failed", "m.yaml::n=c": "passed"}
    assert outcomes(run_pytest("scenarios", "-rA")) == names
    assert outcomes(run_pytest("scenarios", "--lf", "-rA")) == {"m.yaml::n=a%3A%3Ab": "failed"}
    assert outcomes(run_pytest("scenarios/m.yaml::n=a%3A%3Ab", "-rA")) == {"m.yaml::n=a%3A%3Ab": "failed"}


def test_a_flaky_case_is_rerun_immediately(place: Path, tmp_path: Path) -> None:
    program = tmp_path / "qemu-img"
    program.write_text(
        f'#!/bin/sh\n[ -e {tmp_path}/once ] || {{ touch {tmp_path}/once; exit 1; }}\nexec qemu-img "$@"\n'
    )
    program.chmod(0o755)
    write(place, flake="scenario: f\nsteps:\n  - create-image: {file: d.qcow2, size: 1M}\n  - check-image: d.qcow2\n")
    run = run_pytest("scenarios", "--reruns", "1", "-rA", "--scenario-qemu-img", str(program))
    assert (run.status, outcomes(run)["flake.yaml::flake"]) == (0, "passed"), run.stdout
    assert "1 passed, 1 rerun" in run.stdout


def test_an_invalid_file_is_a_collection_error(place: Path) -> None:
    write(place, misspelt=MISSPELT, wrong=command.WRONG, passes=command.PASSES)
    run = run_pytest("scenarios", "-n", "1")
    assert run.status != 0
    assert "scenarios/misspelt.yaml:4:10: error: there is no command 'query-sttus'" in run.stdout
    assert "^^^^^^^^^^^ did you mean 'query-status'? (QEMU" in run.stdout
    assert "scenarios/wrong.yaml:2:1: error: unknown key 'stpes'" in run.stdout
    assert "2 errors" in run.stdout
    assert "Traceback" not in run.stdout


def test_other_yaml_files_are_left_alone(place: Path) -> None:
    (place / "molecule.yml").write_text("scenario:\n  name: default\n")
    (place / "broken.yaml").write_text("jobs: [\n")
    (place / "list.yaml").write_text("- scenario: no\n")
    (place / "procedures.yaml").write_text("procedures:\n  p: {steps: [launch]}\n")
    (place / "flow.yaml").write_text('{"scenario": "flow", steps: [{assert: "{{ 1 == 1 }}"}]}\n')
    run = run_pytest("scenarios", "-rA")
    assert outcomes(run) == {"flow.yaml::flow": "passed"}
    assert run.status == 0, run.stdout


def test_a_project_without_scenarios_imports_little(tmp_path: Path) -> None:
    loaded = "sorted(name for name in sys.modules if name.startswith('run_scenarios'))"
    small = ("core", "core.diagnostics", "core.errors", "core.source", "pytest_plugin", "qemu", "qemu.programs")
    expected = ["run_scenarios", *(f"run_scenarios.{name}" for name in small)]
    (tmp_path / "test_it.py").write_text(f"import sys\n\n\ndef test_it():\n    assert {loaded} == {expected}\n")
    run = run_pytest("-W", "error")
    assert run.status == 0, run.stdout


def test_lint_findings_are_warnings(place: Path) -> None:
    write(place, doubtful=DOUBTFUL)
    run = run_pytest("scenarios")
    assert run.status == 0, run.stdout
    assert re.search(r"scenarios/doubtful.yaml:1: ScenarioWarning: warning\[RS008\]: no step of this", run.stdout)
    strict = run_pytest("scenarios", "-W", "error::run_scenarios.pytest_plugin.ScenarioWarning")
    assert strict.status == 2
    assert "\nscenarios/doubtful.yaml:1:1: warning[RS008]: no step of this" in strict.stdout
    assert "run_scenarios/pytest_plugin.py" not in strict.stdout


def test_deprecations_are_another_kind_of_warning(place: Path) -> None:
    write(place, deprecated=DEPRECATED, likewise=DEPRECATED)
    run = run_pytest("scenarios", "--collect-only", "-W", "error::run_scenarios.pytest_plugin.ScenarioWarning")
    assert run.status == 0, run.stdout
    assert "scenarios/deprecated.yaml:4: QemuDeprecationWarning: warning: 'drive-backup' is deprecated" in run.stdout
    assert run.stdout.count("QemuDeprecationWarning") == 1


def test_variables_are_set(place: Path) -> None:
    write(place, matrix=MATRIX)
    refuted = run_pytest("scenarios", "--scenario-define=v=2", "-rA")
    assert set(outcomes(refuted).values()) == {"failed"}
    assert "rerun: run-scenarios -D v=2 scenarios/matrix.yaml::n=22" in refuted.stdout
    unknown = run_pytest("scenarios", "--scenario-define=vv=2")
    assert "-D vv: no scenario has a variable or matrix dimension of that name" in unknown.stdout
    assert "Traceback" not in unknown.stdout
    malformed = run_pytest("scenarios", "--scenario-define=v")
    assert malformed.status == 2
    assert "argument -D: 'v' is not NAME=VALUE" in malformed.stdout


def test_without_qemu_each_case_fails_with_the_reason(place: Path) -> None:
    write(place, a=command.PASSES, matrix=MATRIX)
    run = run_pytest("scenarios", "-rA", env={"QEMU_PROG": "/no-such-qemu"})
    assert set(outcomes(run).values()) == {"failed"}
    assert run.stdout.count("QEMU_PROG: cannot run '/no-such-qemu'") >= 3
    assert "Traceback" not in run.stdout


def test_runxfail_treats_known_failures_as_failures(place: Path) -> None:
    write(place, known=ALL["known"], surprise=ALL["surprise"])
    run = run_pytest("scenarios", "--runxfail", "-rA")
    assert outcomes(run) == {"known.yaml::known": "failed", "surprise.yaml::surprise": "passed"}


def test_artifacts_and_images_are_kept_on_request(place: Path) -> None:
    write(place, passes="scenario: p\nsteps:\n  - create-image: {file: d.qcow2, size: 1M}\n  - check-image: d.qcow2\n")
    run = run_pytest("scenarios", "--scenario-artifacts", "kept", "--scenario-keep", "--scenario-timeout", "30")
    assert run.status == 0, run.stdout
    (kept,) = Path("kept").iterdir()
    assert {"trace.jsonl", "images"} <= {each.name for each in kept.iterdir()}


@pytest.mark.parametrize(
    ("number", "workers", "status"),
    [
        (signal.SIGINT, [], 2),
        (signal.SIGTERM, [], 143),
        (signal.SIGKILL, [], -9),
        (signal.SIGINT, ["-n", "1"], 2),
        (signal.SIGKILL, ["-n", "1"], -9),
    ],
    ids=str,
)
def test_nothing_is_left_of_a_run_that_ends_early(
    place: Path, test_dir: Path, number: signal.Signals, workers: list[str], status: int
) -> None:
    write(place, waits=command.WAITS)
    running = command.start("scenarios", *workers, program=PYTEST)
    command.eventually(lambda: command.qemus_in(test_dir), "QEMU to run", DEADLINE_S)
    running.send(number)
    assert running.finish(DEADLINE_S).status == status
    command.eventually(lambda: not any(test_dir.iterdir()), "the directory to go", DEADLINE_S)
    command.eventually(lambda: not command.processes_in(test_dir), "QEMU to go")


def test_a_killed_worker_leaves_nothing_and_the_rest_continues(place: Path, test_dir: Path) -> None:
    write(place, passes=command.PASSES, waits=command.WAITS)
    running = command.start("scenarios", "-n", "1", "-v", "-rA", program=PYTEST)
    running.read_until("[gw0] [ 50%] PASSED")
    command.eventually(lambda: command.qemus_in(test_dir), "QEMU to run", DEADLINE_S)
    os.kill(_parent_of(command.qemus_in(test_dir)[0]), signal.SIGKILL)
    run = running.finish(DEADLINE_S)
    assert "1 failed, 1 passed" in run.stdout
    assert "worker 'gw0' crashed while running 'scenarios/waits.yaml::waits'" in run.stdout
    command.eventually(lambda: not any(test_dir.iterdir()), "the directory to go")


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
