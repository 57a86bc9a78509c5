"""Every wrong scenario in `bad/` is refused before QEMU starts, with the message in the .txt beside it.

`UPDATE_GOLDEN=1` writes the messages anew; read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from run_scenarios.cli.main import main
from run_scenarios.qemu.programs import TOOLS
from run_scenarios.steps import VERBS

BAD = Path(__file__).parent / "bad"
HEAD = re.compile(r"[^ :]+\.yaml:[1-9][0-9]*:[1-9][0-9]*: error(\[RS[0-9]{3}\])?: \S")
EXCERPT = re.compile(r" *[0-9]+ \| |      \| |      = ")


def wrong_files() -> list[Path]:
    """Return the wrong scenarios, a folder for each subject; the files that they import lie further down."""
    return sorted(BAD.glob("*/*.yaml"))


def case_id(file: Path) -> str:
    """Return the name of a wrong file within `bad/`."""
    return str(file.relative_to(BAD).with_suffix(""))


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that comes into being if any program of QEMU's is started."""
    mark, program = tmp_path / "started", tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho \"$0 $*\" >>'{mark}'\nexit 1\n")
    program.chmod(0o755)
    for variable in TOOLS.values():
        monkeypatch.setenv(variable, str(program))
    return mark


@pytest.mark.parametrize("file", wrong_files(), ids=case_id)
def test_a_wrong_file_is_refused_with_its_message(
    file: Path, mark: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(file.parent)
    status = main([file.name])
    printed = capfd.readouterr()
    assert status == 2, printed.out
    assert not mark.exists(), mark.read_text()
    assert "not ok 1" in printed.out
    golden, message = file.with_suffix(".txt"), printed.err.replace(", ".join(VERBS), "(every verb)")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(message)
    assert message == golden.read_text()


@pytest.mark.parametrize("file", wrong_files(), ids=case_id)
def test_a_message_says_where_and_is_short(file: Path) -> None:
    lines = file.with_suffix(".txt").read_text().split("\n")[:-1]
    assert lines
    heads = [line for line in lines if HEAD.match(line)]
    assert heads
    for line in lines:
        assert HEAD.match(line) or EXCERPT.match(line), line
        assert len(line) < 400, line
    assert not any("Traceback" in line for line in lines)
    assert len(set(heads)) == len(heads), "a mistake is reported twice"


def test_there_are_no_messages_without_a_file() -> None:
    assert {case_id(file) for file in BAD.glob("*/*.txt")} == {case_id(file) for file in wrong_files()}
