"""Consumers of TAP agree with the report in every situation."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.report.taplint import lint
from tests.support import command
from tests.support.scenarios import Run

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
TAP_PARSER = REPOSITORY / ".node/node_modules/tap-parser/bin/cmd.cjs"
HOSTILE = 'a # SKIP "b\\{\n1..0\u2028'


@dataclass(frozen=True)
class Situation:
    """A situation, and the verdict expected from every consumer.

    :param make: brings it about in the current directory.
    :param counts: points seen, failed, marked as TODO, and skipped, as tap-parser counts them.
    """

    make: Callable[[], Run]
    status: int
    good: bool
    counts: tuple[int, int, int, int]
    complete: bool = True


def scenarios(**files: str) -> list[Path]:
    """Write scenario files and return them."""
    paths = [Path(f"{name}.yaml") for name in files]
    for path in paths:
        path.write_text(files[path.stem])
    return paths


def passing() -> Run:
    return command.run(*scenarios(a=command.PASSES, b=command.PASSES))


def failing() -> Run:
    return command.run(*scenarios(a=command.FAILS, b=command.PASSES))


def skipping() -> Run:
    return command.run(*scenarios(a=command.SKIPS, b=command.PASSES))


def known_failure() -> Run:
    return command.run(*scenarios(a=command.FAILS + "expected-failure: 'gitlab #1234'\n", b=command.PASSES))


def unexpected_pass() -> Run:
    return command.run(*scenarios(a=command.PASSES + "expected-failure: 'gitlab #1234'\n", b=command.PASSES))


def timeout() -> Run:
    return command.run(*scenarios(a=command.WAITS + "timeout: 1\n", b=command.PASSES))


def crash() -> Run:
    return command.run(*scenarios(a=command.CRASHES, b=command.PASSES))


def stopped(number: signal.Signals) -> Run:
    """Send a signal to a run whose first case is done, whose second waits, and whose third is still to come."""
    running = command.start("-j1", *scenarios(a=command.PASSES, b=command.WAITS, c=command.PASSES))
    begun = running.read_until("ok 1")
    command.eventually(lambda: command.qemus_in(Path.cwd()), "QEMU to run")
    running.send(number)
    end = running.finish()
    command.eventually(lambda: not command.processes_in(Path.cwd() / "test-dir"), "QEMU to go")
    command.eventually(lambda: not any(Path("test-dir").iterdir()), "the directory to go")
    return Run(end.status, begun + end.stdout, end.stderr)


def nothing() -> Run:
    Path("empty").mkdir()
    return command.run("empty")


def nothing_allowed() -> Run:
    Path("empty").mkdir()
    return command.run("--allow-empty", "empty")


def invalid() -> Run:
    return command.run(*scenarios(a=command.WRONG, b=command.PASSES))


def no_qemu() -> Run:
    return command.run("--qemu", "no-such-qemu", *scenarios(a=command.PASSES))


def all_skipped() -> Run:
    return command.run(*scenarios(a=command.SKIPS, b=command.SKIPS))


def hostile() -> Run:
    """Failures and a skip with hostile strings in every field that a user can set."""
    place = Path("d # TODO\\ {")
    place.mkdir()
    text = json.dumps(HOSTILE)
    head = f"scenario: {text}\nmatrix: {{x: [{text}]}}\n"
    fails = head + f"steps:\n  - name: {text}\n    assert: '{{{{ x == 1 }}}}'\n"
    (place / "\udcff{.yaml").write_text(fails)
    (place / "known.yaml").write_text(fails + f"expected-failure: {text}\n")
    (place / "skip.yaml").write_text("scenario: s\nrequires: {qemu: '>= 99'}\nsteps: [launch]\n")
    return command.run(place)


SITUATIONS = {
    "pass": Situation(passing, 0, True, (2, 0, 0, 0)),
    "fail": Situation(failing, 1, False, (2, 1, 0, 0)),
    "skip": Situation(skipping, 0, True, (2, 0, 0, 1)),
    "known-failure": Situation(known_failure, 0, True, (2, 1, 1, 0)),
    "unexpected-pass": Situation(unexpected_pass, 1, False, (2, 1, 0, 0)),
    "timeout": Situation(timeout, 1, False, (2, 1, 0, 0)),
    "crash": Situation(crash, 1, False, (2, 1, 0, 0)),
    "terminated": Situation(lambda: stopped(signal.SIGTERM), 128 + 15, False, (3, 1, 0, 1)),
    "interrupted": Situation(lambda: stopped(signal.SIGINT), 128 + 2, False, (3, 1, 0, 1)),
    "killed": Situation(lambda: stopped(signal.SIGKILL), -9, False, (1, 1, 0, 0), complete=False),
    "nothing": Situation(nothing, 5, False, (1, 1, 0, 0)),
    "nothing-allowed": Situation(nothing_allowed, 0, True, (0, 0, 0, 0)),
    "invalid": Situation(invalid, 2, False, (2, 1, 0, 0)),
    "no-qemu": Situation(no_qemu, 3, False, (1, 1, 0, 0)),
    "all-skipped": Situation(all_skipped, 0, True, (2, 0, 0, 2)),
    "hostile": Situation(hostile, 1, False, (3, 2, 1, 1)),
}


@dataclass(frozen=True)
class Replay:
    """A recorded run for consumers: its report, and a script that prints it with the same exit status."""

    run: Run
    report: Path
    script: Path


@pytest.fixture(scope="module")
def replays(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Replay]:
    """Run every situation once."""
    return {name: _record(name, situation, tmp_path_factory.mktemp(name)) for name, situation in SITUATIONS.items()}


def _record(name: str, situation: Situation, place: Path) -> Replay:
    (place / "test-dir").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("TEST_DIR", str(place / "test-dir"))
        run = situation.make()
    report, script = place / f"{name}.tap", place / f"{name}.sh"
    report.write_text(run.stdout)
    end = f"kill -{-run.status} $$" if run.status < 0 else f"exit {run.status}"
    script.write_text(f"#!/bin/sh\ncat {shlex.quote(str(report))}\n{end}\n")
    script.chmod(0o755)
    return Replay(run, report, script)


every_situation = pytest.mark.parametrize("name", SITUATIONS)


@every_situation
def test_report_and_exit_status_are_as_documented(name: str, replays: dict[str, Replay]) -> None:
    run = replays[name].run
    assert run.status == SITUATIONS[name].status, run.stderr
    assert "Traceback" not in run.stderr
    problems = lint(run.stdout)
    assert problems == [] if SITUATIONS[name].complete else all("points planned" in each for each in problems)


@every_situation
def test_prove_agrees(name: str, replays: dict[str, Replay]) -> None:
    done = _consume([_installed("prove", "apt-get install perl"), "-e", "sh", str(replays[name].script)])
    assert (done.returncode == 0) == SITUATIONS[name].good, done.stdout
    assert ("Parse errors" not in done.stdout) == SITUATIONS[name].complete, done.stdout


def test_prove_reads_the_report_from_a_pipe(tmp_path: Path, test_dir: Path) -> None:
    _installed("prove", "apt-get install perl")
    for content, status in ((command.PASSES, 0), (command.FAILS, 1)):
        (tmp_path / "a.yaml").write_text(content)
        runner = shlex.join(["env", f"PYTHONPATH={command.PYTHON_PATH}", sys.executable, "-m", "run_scenarios"])
        line = f"{runner} a.yaml | prove -e cat /dev/stdin"
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout


@every_situation
def test_tap_py_agrees(name: str, replays: dict[str, Replay]) -> None:
    tappy = _installed("tappy", "pip install tap.py more-itertools")
    done = _consume([tappy, str(replays[name].report)])
    assert (done.returncode == 0) == SITUATIONS[name].good, done.stdout


@every_situation
def test_tap_parser_agrees(name: str, replays: dict[str, Replay]) -> None:
    end = dict(each for each in _tap_parser(replays[name].run.stdout) if len(each) == 2)["complete"]
    assert end["ok"] == SITUATIONS[name].good
    assert (end["count"], end["fail"], end["todo"], end["skip"]) == SITUATIONS[name].counts


def test_meson_agrees(replays: dict[str, Replay], tmp_path: Path) -> None:
    tests = [f"test('{name}', find_program('{each.script}'), protocol: 'tap')" for name, each in replays.items()]
    (tmp_path / "meson.build").write_text("\n".join(["project('replays')", *tests]) + "\n")
    done = _meson_test(tmp_path, tmp_path / "build")
    assert "UNKNOWN:" not in done.stdout
    log = (tmp_path / "build/meson-logs/testlog.json").read_text()
    verdicts = {
        each["name"].removeprefix("replays:"): each["result"] in ("OK", "SKIP")
        for each in map(json.loads, log.splitlines())
    }
    assert verdicts == {name: situation.good for name, situation in SITUATIONS.items()}


def test_meson_runs_the_example(tmp_path: Path, test_dir: Path) -> None:
    wrapper = tmp_path / "run-scenarios"
    command_line = shlex.join(["env", f"PYTHONPATH={command.PYTHON_PATH}", sys.executable, "-m", "run_scenarios"])
    wrapper.write_text(f'#!/bin/sh\nexec {command_line} "$@"\n')
    wrapper.chmod(0o755)
    done = _meson_test(REPOSITORY / "examples/meson", tmp_path / "build", f"-Drun_scenarios={wrapper}")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^Ok: +1\b", done.stdout, re.M), done.stdout
    assert "UNKNOWN:" not in done.stdout


def test_every_reader_restores_hostile_strings(replays: dict[str, Replay]) -> None:
    report = replays["hostile"].run.stdout
    asserted = [each[1] for each in _tap_parser(report) if each[0] == "assert"]
    from_python = [each for each in _tap_py_lines(report) if each.category == "test"]
    shown = HOSTILE.encode("unicode_escape").decode().replace("\\\\", "\\")
    for names in ([each["name"] for each in asserted], [each.description.removeprefix("- ") for each in from_python]):
        plain = [urllib.parse.unquote(name, errors="surrogateescape") for name in names]
        assert plain == [f"d # TODO\\ {{/{file}" for file in (f"known[x={shown}]", "skip", f"\udcff{{[x={shown}]")]
    title = " ".join(HOSTILE.split())
    for blocks in ([each["diag"] for each in asserted], [each.yaml_block for each in from_python]):
        assert [block["title"] for block in blocks] == [title, "s", title]
    assert urllib.parse.unquote(asserted[0]["todo"]) == title


def _tap_parser(report: str) -> list[list[Any]]:
    """Parse a report with tap-parser."""
    if not TAP_PARSER.exists():
        pytest.fail(f"tap-parser is missing; run: npm install --prefix {REPOSITORY / '.node'} tap-parser@18")
    node = _installed("node", "apt-get install nodejs")
    done = subprocess.run([node, str(TAP_PARSER), "-j", "0"], input=report, capture_output=True, encoding="utf-8")
    events: list[list[Any]] = json.loads(done.stdout)
    return events


def _tap_py_lines(report: str) -> list[Any]:
    """Parse a report with tap.py."""
    try:
        parser = importlib.import_module("tap.parser")
    except ImportError:
        pytest.fail("tap.py is missing; run: pip install tap.py more-itertools")
    return list(parser.Parser().parse_text(report))


def _installed(program: str, how: str) -> str:
    beside_python = Path(sys.executable).parent / program
    found = str(beside_python) if beside_python.exists() else shutil.which(program)
    if not found:
        pytest.fail(f"{program} is missing; run: {how}")
    return found


def _meson_test(source: Path, build: Path, *options: str) -> subprocess.CompletedProcess[str]:
    meson = _installed("meson", "pip install meson ninja")
    done = _consume([meson, "setup", *options, str(build), str(source)])
    assert done.returncode == 0, done.stdout
    return _consume([meson, "test", "-C", str(build)])


def _consume(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    )
