"""A sample of the search for ways out of a case's directory; `python -m qa.canary` makes it larger."""

from __future__ import annotations

import os
import random
import shutil

import pytest
from run_scenarios.qemu.programs import find_programs

from qa.canary.__main__ import is_refused
from qa.canary.letting_through import find_escape, make_line
from qa.canary.naming import CANARY, make_attempt


def test_steps_that_name_a_file_outside_are_refused() -> None:
    source = random.Random(1)
    through = [each for each in (make_attempt(source) for _ in range(2000)) if not is_refused(each.verb, each.argument)]
    assert not through


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_command_lines_that_are_let_through_reach_nothing_outside() -> None:
    source, programs = random.Random(1), find_programs({}, os.environ)
    lines = [line for line in (make_line(source) for _ in range(60)) if not is_refused(line.verb, line.argument)]
    assert len(lines) > 10
    for line in lines:
        assert find_escape([programs[line.program], *line.words]) == "", line


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_file_outside_would_be_seen() -> None:
    programs = find_programs({}, os.environ)
    assert CANARY in find_escape([programs["qemu-img"], "info", CANARY])
    assert "INET" in find_escape([programs["qemu-img"], "info", "nbd://127.0.0.1:1/x"])
