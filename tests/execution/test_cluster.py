"""Cases on a real Dask scheduler with real worker processes, some of which are killed."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support import command
from tests.support.command import PYTHON_PATH, ROOT, processes_in, start
from tests.support.scenarios import Run

pytestmark = pytest.mark.slow

# A scheduler and its workers take seconds to start, and much longer on a busy machine.
DEADLINE_S = 120.0
SHIPPED = ROOT / "scenarios"
SLOW = """\
scenario: a backup at a set speed
steps:
  - create-image: {file: d.qcow2, size: 4M}
  - write: {file: d.qcow2, patterns: [{byte: 1, at: 0, size: 3M}]}
  - launch: {drives: [{id: drive0, file: d.qcow2, format: qcow2}]}
  - qmp:
      execute: drive-backup
      arguments: {job-id: j, device: drive0, sync: full, format: qcow2, target: t.qcow2, speed: 1048576}
  - wait-job: j
"""
WAITS = "scenario: waits\nsteps:\n  - launch\n  - wait-event: {name: STOP}\n"
FAILS = 'scenario: fails\nsteps:\n  - launch\n  - assert: "{{ 1 == 2 }}"\n'
PASSES = "scenario: passes\nsteps:\n  - launch\n  - qmp: query-status\n"
WRITTEN = """\
scenario: what is written is not read
steps:
  - create-image: {file: a.raw, size: 1M}
  - write: {file: a.raw, patterns: [{byte: 1, at: 0, size: 64k}]}
  - read: {file: a.raw, patterns: [{byte: 0, at: 64k, size: 64k}]}
"""
WRONG = "scenario: wrong\nsteps:\n  - launch\n  - qmp: query-stats-of-tea\n"


class Cluster:
    """A scheduler and its workers, each with a TEST_DIR of its own."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        port = self.address.rpartition(":")[2]
        self._start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-show")
        self._says("scheduler", "Scheduler at")

    def add_worker(self, name: str, **environment: str) -> None:
        """Start a worker that takes two cases at a time."""
        self.test_dir(name).mkdir()
        flags = ("--name", name, "--nthreads", "2", "--no-nanny", "--no-dashboard", "--death-timeout", "60")
        self._start(name, self.address, *flags, TEST_DIR=str(self.test_dir(name)), **environment)
        self._says(name, "Registered to")

    def test_dir(self, worker: str) -> Path:
        """Return the parent of the directories of a worker's cases."""
        return self._base / f"{worker}.test-dir"

    def kill(self, worker: str) -> None:
        """Kill a worker."""
        self._processes[worker].kill()
        self._processes[worker].wait()

    def close(self) -> None:
        """Kill everything."""
        for process in reversed(self._processes.values()):
            process.kill()
            process.wait()
        eventually(lambda: set(processes_in(self._base)) <= {os.getpid()}, "the agents to end")

    def is_clean(self, worker: str) -> bool:
        """Tell whether a worker has no process and no file of any case, except the agent's own directory."""
        place = self.test_dir(worker)
        return not processes_in(place) and not [each for each in place.rglob("*") if each.parent != place]

    def _start(self, name: str, *arguments: str, **environment: str) -> None:
        kind = "scheduler" if name == "scheduler" else "worker"
        log = (self._base / f"{name}.log").open("wb")
        with log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + kind, *arguments],
                env={
                    **os.environ,
                    "PYTHONPATH": PYTHON_PATH,
                    "DASK_TEMPORARY_DIRECTORY": str(self._base),
                    **environment,
                },
                cwd=self._base,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _says(self, name: str, text: str) -> None:
        log = self._base / f"{name}.log"
        eventually(lambda: text in log.read_text(), f"'{text}' of {name}")


@pytest.fixture
def cluster(test_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.chdir(tmp_path)
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.close()


def eventually(condition: Callable[[], object], what: str) -> None:
    command.eventually(condition, what, DEADLINE_S)


def run(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Run:
    return start(*arguments, env=env).finish(DEADLINE_S)


def run_on(cluster: Cluster, *arguments: str | Path) -> Run:
    return run("--cluster", cluster.address, *arguments)


def without_times(report: str) -> str:
    report = re.sub(r"duration_ms: .*", "duration_ms: …", report)
    report = re.sub(r"  artifacts: .*\n", "", report)
    return re.sub(r'(log|stderr_tail): ".*"', r"\1: …", report)


def test_the_report_is_that_of_a_local_run(cluster: Cluster, tmp_path: Path) -> None:
    for name, text in {"fails": FAILS, "passes": PASSES, "wrong": WRONG}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    paths = ("fails.yaml", "passes.yaml", "wrong.yaml", SHIPPED / "incremental-backup/simple.yaml")
    cluster.add_worker("one")
    cluster.add_worker("two")
    there = run_on(cluster, *paths, "--artifacts", "kept")
    here = run(*paths)
    assert without_times(there.stdout) == without_times(here.stdout)
    assert there.status == here.status == 2
    traces = {file.parent.name: file.read_text() for file in Path("kept").glob("*/trace.jsonl")}
    assert len(traces) == 5, "each case's trace comes back"
    assert any(json.loads(line)["kind"] == "send" for line in traces["passes"].splitlines())
    eventually(lambda: cluster.is_clean("one") and cluster.is_clean("two"), "the workers to be clean")


def test_the_html_report_has_the_traffic_of_remote_cases(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "passes.yaml").write_text(PASSES)
    cluster.add_worker("only")
    for where in (("--cluster", cluster.address), ()):
        run(*where, "passes.yaml", "--html", "page.html")
        found = re.search(r'id="about-0">(.*?)<', (tmp_path / "page.html").read_text())
        assert found
        steps = json.loads(zlib.decompress(base64.b64decode(found[1])))["steps"]
        assert [each["verb"] for each in steps] == ["launch", "qmp"]
        sent, received = steps[1]["traffic"]
        assert (sent[2], received[2]) == ("send", "recv")
        assert sent[3].startswith('{"execute": "query-status"')
        assert received[3].startswith('{"return": {')


def test_a_remote_audit_finds_what_a_local_one_does(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "written.yaml").write_text(WRITTEN)
    cluster.add_worker("only")
    there, here = run_on(cluster, "--audit", "written.yaml"), run("--audit", "written.yaml")
    assert without_times(there.stdout) == without_times(here.stdout)
    assert there.status == here.status == 1
    for each in (there, here):
        assert "written.yaml:4:5: error[audit]: no case fails if this is dropped" in each.stderr
        assert "audit: 2 mutants: 1 killed, 1 survived" in each.stderr
    assert not list(tmp_path.glob("*kept*"))


def test_the_cases_of_a_dead_worker_run_on_another(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW)
    cluster.add_worker("first")
    started = start("slow.yaml", "--cluster", cluster.address)
    eventually(lambda: processes_in(cluster.test_dir("first")), "the case to run on the first worker")
    cluster.add_worker("second")
    cluster.kill("first")
    result = started.finish(DEADLINE_S)
    assert result.status == 0
    assert "ok 1 - slow" in result.stdout
    eventually(lambda: not list(cluster.test_dir("first").iterdir()), "the dead worker's files to go")
    assert not processes_in(cluster.test_dir("first"))


def test_a_case_that_lost_two_workers_is_an_infrastructure_error(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "waits.yaml").write_text(WAITS)
    (tmp_path / "passes.yaml").write_text(PASSES)
    cluster.add_worker("first")
    started = start("waits.yaml", "passes.yaml", "--cluster", cluster.address)
    eventually(lambda: processes_in(cluster.test_dir("first")), "the case to run on the first worker")
    cluster.add_worker("second")
    cluster.kill("first")
    eventually(lambda: processes_in(cluster.test_dir("second")), "the case to run on the second worker")
    cluster.add_worker("third")
    cluster.kill("second")
    result = started.finish(DEADLINE_S)
    assert result.status == 3
    waits, passes = result.points
    assert waits.block["reason"] == "infrastructure"
    assert waits.block["message"] == "the workers that ran it died: first and second"
    assert passes.ok


def test_an_interrupted_run_leaves_nothing_on_the_workers(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "waits.yaml").write_text(WAITS)
    cluster.add_worker("only")
    started = start("waits.yaml", "--cluster", cluster.address)
    eventually(lambda: len(processes_in(cluster.test_dir("only"))) == 1, "the case to run")
    started.send(signal.SIGTERM)
    result = started.finish(DEADLINE_S)
    assert result.status == 128 + signal.SIGTERM
    assert "interrupted by SIGTERM, on only" in result.message
    assert "Bail out! interrupted by SIGTERM" in result.stdout
    eventually(lambda: cluster.is_clean("only"), "the worker to be clean")


def test_a_worker_without_qemu_is_an_error(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "passes.yaml").write_text(PASSES)
    cluster.add_worker("bare", QEMU_PROG="/no/such/qemu")
    result = run_on(cluster, "passes.yaml")
    assert result.status == 3
    assert "cannot run cases: QEMU_PROG: cannot run '/no/such/qemu'" in result.stderr
    assert "Bail out!" in result.stdout


def test_qmp_is_checked_against_the_qemu_of_the_worker(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    cluster.add_worker("only")
    (Path(tmp_path) / "empty").mkdir()
    result = run("--cluster", cluster.address, "wrong.yaml", env={"PATH": str(tmp_path / "empty")})
    assert result.status == 2
    assert result.only.block["reason"] == "invalid-scenario"
    assert "there is no command 'query-stats-of-tea'" in result.message
    assert result.only.block["at"]["line"] == 4


def test_an_unreachable_scheduler_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "passes.yaml").write_text(PASSES)
    result = run("--cluster", "tcp://127.0.0.1:1", "passes.yaml")
    assert result.status == 3
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in result.stderr
    assert result.stdout.startswith("TAP version 13\n1..1\n# passes.yaml\nnot ok 1 - passes")


def test_keep_is_refused_with_a_cluster() -> None:
    result = run("--cluster", "tcp://127.0.0.1:1", "--keep", "passes.yaml")
    assert result.status == 2
    assert "--keep cannot be used with --cluster: the images are on the workers" in result.stderr
