"""Press keys in real shells and check the completed line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_scenarios.cli.completion import COMPLETERS, complete_path, complete_word
from run_scenarios.cli.parser import make_parser

from tests.support.command import PASSES, PYTHON_PATH, eventually, processes_in
from tests.support.terminal import Terminal

pytestmark = pytest.mark.slow

SHELLS = ("bash", "zsh", "fish")
MATRIX = (
    'scenario: m\ntags: [grid, quick]\nmatrix: {n: [1, 22], s: [x]}\nsteps:\n  - assert: "{{ n > 0 and s == s }}"\n'
)
STARTS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
PREPARES = {
    "bash": "PS1='ready> '; source ../run-scenarios.bash",
    "zsh": "PS1='ready> '; autoload -Uz compinit; compinit -u -D; source ../run-scenarios.zsh",
    "fish": "function fish_prompt; echo 'ready> '; end; source ../run-scenarios.fish",
}

FREE_TEXT = {"ADDRESS", "EXPRESSION", "I/N", "JOBS", "N", "NAME=VALUE", "REV", "SECONDS", "SEED"}
CLEAR_LINE = "\x15"
WORDS = {
    "--rerun": "--rerun-failed",
    "--print-completion fi": "--print-completion fish",
    "scenarios/pass": "scenarios/passes.yaml",
    "scenarios/matrix.yaml::n=2": "scenarios/matrix.yaml::n=22,s=x",
    "scenarios --tag gr": "scenarios --tag grid",
    "--not-tag gr": "--not-tag grid",
    "--tap scenarios/no": "--tap scenarios/notes.txt",
    "--json scenarios/no": "--json scenarios/notes.txt",
}
"""What is typed, and the completed line."""


@pytest.fixture
def place(tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work next to a few scenarios, with the command on PATH and its completion scripts."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/run-scenarios"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={PYTHON_PATH} exec {sys.executable} -m run_scenarios "$@"\n')
    program.chmod(0o755)
    for shell in SHELLS:
        command = [str(program), "--print-completion", shell]
        script = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        (tmp_path / f"run-scenarios.{shell}").write_text(script)
    work = tmp_path / "work"
    (work / "scenarios").mkdir(parents=True)
    (work / "scenarios/matrix.yaml").write_text(MATRIX)
    (work / "scenarios/passes.yaml").write_text(PASSES)
    (work / "scenarios/notes.txt").write_text("")
    (work / "scenarios/other.txt").write_text("")
    monkeypatch.chdir(work)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=":")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, place: Path) -> Iterator[Terminal]:
    """An interactive shell at its prompt."""
    name = str(request.param)
    assert shutil.which(name), f"install {name}: .ci/setup tests"
    with Terminal(columns=120, lines=30) as terminal:
        terminal.start(STARTS[name], {"INPUTRC": "/dev/null", "ZDOTDIR": str(place)})
        terminal.press(PREPARES[name] + "\r")
        terminal.read_until(lambda: "\nready>" in terminal.shown, "the shell is ready")
        yield terminal
    # The shell may have started the command once more for a key that was pressed twice.
    eventually(lambda: processes_in(place) == [os.getpid()], "the completing command to end")


def test_words_are_completed(shell: Terminal) -> None:
    for typed, completed in WORDS.items():
        shell.press(f"{CLEAR_LINE}run-scenarios {typed}\t")
        shell.read_for(f"run-scenarios {completed}")
    shell.press(f"{CLEAR_LINE}run-scenarios scenarios/\t\t")
    shell.read_until(lambda: "matrix.yaml" in shell.shown and "passes.yaml" in shell.shown, "the scenarios are listed")
    assert "other.txt" not in shell.shown


def test_each_value_is_completed_or_known_to_be_free_text() -> None:
    values = [action for action in make_parser()._actions if action.nargs != 0]
    metavars = {str(action.metavar or action.dest.upper()) for action in values if not action.choices}
    assert metavars - COMPLETERS.keys() == FREE_TEXT


@pytest.mark.parametrize("text", ["scenario: 1\n", "jobs: [\n"])
def test_an_invalid_file_has_no_completions(place: Path, text: str) -> None:
    (place / "wrong.yaml").write_text(text)
    assert list(complete_path(f"{place}/wrong.yaml::")) == []


def test_the_words_to_explain_are_verbs_and_lint_codes() -> None:
    assert {"wait-job", "RS001"} <= {*complete_word()}
