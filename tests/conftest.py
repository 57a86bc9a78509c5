"""Fixtures to run steps on the real QEMU, and a check that nothing is left behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from run_scenarios.cli.main import main

from tests.support.scenarios import Run, RunSteps, write_scenario

# The same examples in every run, none of them against the clock, and nothing left in the working directory.
hypothesis.settings.register_profile("project", derandomize=True, deadline=None, database=None, max_examples=60)
hypothesis.settings.load_profile("project")

# Our own plugin for pytest would take what the tests read for tests.
collect_ignore_glob = ["*.yaml"]


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> None:
    """Reset ignored signals, which children inherit: SIGINT in the background of a shell, SIGHUP under nohup."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache for the tests, so that they do not use that of the user."""
    directory = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(directory))
        yield directory


@pytest.fixture
def test_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TEST_DIR for the test."""
    directory = tmp_path / "test-dir"
    directory.mkdir()
    monkeypatch.setenv("TEST_DIR", str(directory))
    return directory


@pytest.fixture
def run_command(
    test_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunSteps:
    """Run the command with these arguments, in the test's directory."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Run:
        capsys.readouterr()
        status = main([str(each) for each in arguments])
        printed = capsys.readouterr()
        return Run(status, printed.out, printed.err)

    return run


@pytest.fixture
def run_steps(run_command: RunSteps, tmp_path: Path) -> RunSteps:
    """Run a scenario of these steps, given as YAML; `head` holds further keys of the scenario."""

    def run(steps: str, *options: str, head: str = "") -> Run:
        return run_command(*options, write_scenario(tmp_path, steps, head))

    return run


@pytest.fixture(scope="session", autouse=True)
def not_on_github() -> Iterator[None]:
    """No GitHub annotations on standard error, even if the tests run there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GITHUB_ACTIONS", raising=False)
        yield


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """Fail a test that leaves a process in its directory, or the directory of a case that did not fail."""
    yield
    left = [name for name in _working_directories() if name.startswith(str(tmp_path))]
    assert not left, f"processes were left in {left}"
    test_dir = tmp_path / "test-dir"
    kept = [each.name for each in test_dir.iterdir()] if test_dir.exists() else []
    assert all(name.startswith("run-scenarios-kept-") for name in kept), kept


def _working_directories() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield str((process / "cwd").readlink())
        except OSError:
            continue
