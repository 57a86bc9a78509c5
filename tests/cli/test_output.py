"""Every byte of the output is written, or the exit status is 3."""

from __future__ import annotations

import fcntl
import os
import resource
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support import command
from tests.support.command import FAILS, PASSES

CASES = 400
VALUES = ", ".join(f"a-value-so-long-that-a-pipe-soon-is-full-{number}" for number in range(CASES))
MATRIX = f"scenario: m\nmatrix: {{n: [{VALUES}]}}\nsteps:\n  - assert: '{{{{ n == n }}}}'\n"
BUFFERING = [{"PYTHONUNBUFFERED": "1"}, {"PYTHONUNBUFFERED": ""}]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with scenarios, one of which has many cases."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"many": MATRIX, "passes": PASSES, "fails": FAILS}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def environment(more: dict[str, str]) -> dict[str, str]:
    """Return the environment of the command."""
    return {**os.environ, "PYTHONPATH": command.PYTHON_PATH, **more}


@pytest.mark.parametrize("buffering", BUFFERING, ids=str)
def test_a_slow_reader_of_a_non_blocking_pipe_gets_everything(buffering: dict[str, str]) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    started = subprocess.Popen([*command.PROGRAM, "--list", "many.yaml"], stdout=writer, env=environment(buffering))
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        threading.Event().wait(1)
        lines = stream.read().splitlines()
    assert (started.wait(), len(lines)) == (0, CASES)


@pytest.mark.parametrize("buffering", BUFFERING, ids=str)
@pytest.mark.parametrize("arguments", [["--list", "many.yaml"], ["--print-schema"]], ids=str)
def test_a_file_that_cannot_grow_exits_with_3(place: Path, buffering: dict[str, str], arguments: list[str]) -> None:
    with (place / "out").open("wb") as out:
        done = subprocess.run(
            [*command.PROGRAM, *arguments],
            stdout=out,
            stderr=subprocess.PIPE,
            env=environment(buffering),
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        )
    assert (done.returncode, done.stderr) == (3, "run-scenarios: error: File too large: <stdout>\n")


def run_in_shell(text: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a shell, where `$@` is its program."""
    shell = ["sh", "-c", text, "sh", *command.PROGRAM]
    return subprocess.run(shell, env=environment({}), capture_output=True, text=True, cwd=directory)


@pytest.mark.parametrize("arguments", ["passes.yaml", "--list passes.yaml", "--print-rules"])
def test_a_closed_standard_output_exits_with_3(place: Path, arguments: str) -> None:
    done = run_in_shell(f'"$@" {arguments} >&-', place)
    assert (done.returncode, done.stderr) == (3, "run-scenarios: error: the stream is closed: <stdout>\n")


def test_a_closed_standard_output_does_not_matter_if_it_is_not_used(place: Path) -> None:
    done = run_in_shell('"$@" passes.yaml --tap t --json j >&-', place)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ok 1 - passes" in (place / "t").read_text()


@pytest.mark.parametrize(("file", "status"), [("passes.yaml", 0), ("fails.yaml", 1), ("missing.yaml", 2)])
def test_a_closed_standard_error_changes_nothing(place: Path, file: str, status: int) -> None:
    done = run_in_shell(f'"$@" {file} 2>&-', place)
    assert done.returncode == status
    assert "1..1" in done.stdout


def test_a_deleted_current_directory_exits_with_3(place: Path) -> None:
    (place / "gone").mkdir()
    done = run_in_shell('rmdir ../gone; "$@" ../passes.yaml', place / "gone")
    message = "run-scenarios: error: the current directory has been deleted\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", message)
