"""The memory of a run of many cases that is reported as TAP and as JUnit, and how it grows with what has finished."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qa.bench.measure import COMMAND, Row

STEPS = 30
TARGET_MB = 300
FLAT_MB = 10
SCENARIO = """\
scenario: case {number} of a large suite
summary: It starts nothing, so that what it takes is the runner's own.
tags: [memory, quick]
steps:
  - set: {{number: {number}}}
{steps}
  - assert: "{{{{ number % 10 > 0 }}}}"
"""


def rows(cases: int) -> Iterator[Row]:
    """Measure the largest resident set of the runner, and that after a tenth of the cases beside that after all.

    One case in ten fails, with all that a report says of it.
    """
    with tempfile.TemporaryDirectory(prefix="run-scenarios-bench-") as name:
        suite = Path(name, "suite")
        _write(suite, cases)
        early, late, peak = _watch([*COMMAND, str(suite), "--junit", f"{name}/junit.xml"], cases // 10, cases, name)
    what = f"largest resident set, {cases} cases of {STEPS + 2} steps, to TAP and JUnit"
    yield Row(what, f"{peak:.0f} MB", f"≤ {TARGET_MB} MB", peak <= TARGET_MB)
    what = f"growth from {cases // 10} cases finished ({early:.0f} MB) to {cases}"
    yield Row(what, f"{late - early:+.0f} MB", f"flat: ≤ {FLAT_MB} MB", late - early <= FLAT_MB)


def _write(directory: Path, cases: int) -> None:
    steps = "\n".join(f'  - set: {{value{number}: "{{{{ number + {number} }}}}"}}' for number in range(STEPS))
    directory.mkdir()
    for number in range(cases):
        (directory / f"case{number:05d}.yaml").write_text(SCENARIO.format(number=number, steps=steps))


def _watch(command: list[str], early: int, late: int, directory: str) -> tuple[float, float, float]:
    """Return the resident set, in MB, once so many points are out, once so many more are, and the largest of all."""
    seen: dict[int, float] = {}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=directory,
        env={**os.environ, "TEST_DIR": directory},
    ) as run:
        assert run.stdout
        for line in run.stdout:
            point = re.match(r"(?:not )?ok (\d+) ", line)
            if point and int(point[1]) in (early, late):
                seen[int(point[1])] = _megabytes(run.pid, "VmRSS")
                peak = _megabytes(run.pid, "VmHWM")
    return seen[early], seen[late], peak


def _megabytes(pid: int, field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024
