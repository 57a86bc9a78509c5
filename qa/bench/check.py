"""What comes before a run: `--help`, `--list` and `--check` beside the start of Python; `--check` of 10,000 files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from qa.bench.measure import COMMAND, PASS, ROOT, Row, cost, median_ratio, seconds
from qa.bench.suite import STEPS, write_suite

CASES = str(ROOT / "scenarios" / "incremental-backup")
TARGETS = {"--help": ((), 4), "--list": ((CASES,), 8), "--check": ((CASES,), 10)}
FILES_TARGET_S = 10


def start_up(pairs: int) -> Iterator[Row]:
    """Measure commands that start, answer and end, against a Python that does nothing."""
    for option, (paths, target) in TARGETS.items():
        command = (*COMMAND, option, *paths)
        seconds(command)  # What is cached is cached from here on.
        measured = [(seconds(command), seconds(PASS)) for _ in range(pairs)]
        ratio = median_ratio(measured)
        ours, reference = (median(each) * 1000 for each in zip(*measured, strict=True))
        what = f"{option}{' of the thirteen cases' if paths else ''} / python -c pass"
        yield Row(what, f"{ratio:.1f} ({ours:.0f} ms against {reference:.0f} ms)", f"≤ {target}", ratio <= target)


def many_files(files: int) -> Iterator[Row]:
    """Measure `--check` of many files, and of a tenth of them, with nothing cached but what QEMU says of itself.

    Beside it what the parser takes for them; and `--check` once more, with what was remembered of all but one.
    """
    with tempfile.TemporaryDirectory(prefix="run-scenarios-bench-") as name:
        few, many = Path(name, "few"), Path(name, "many")
        write_suite(few, files // 10)
        write_suite(many, files)
        before = cost("run_scenarios", "--check", str(few))
        after = cost("run_scenarios", "--check", str(many))
        parsed = cost("qa.bench.parse", str(many))
        _change_one(many)
        again = cost("run_scenarios", "--check", str(many))
    what = f"--check of {files} files of {STEPS} steps, {len(os.sched_getaffinity(0))} processors"
    figure = f"{after.wall_s:.1f} s, {after.peak_mb:.0f} MB at most in a process"
    yield Row(what, figure, f"≤ {FILES_TARGET_S} s", after.wall_s <= FILES_TARGET_S)
    ratio = after.wall_s / parsed.wall_s
    yield Row("… read as YAML and no more", f"{parsed.wall_s:.1f} s; `--check` takes {ratio:.1f} times that", "", True)
    yield Row(
        "… again, after one of them has changed",
        f"{again.wall_s:.1f} s",
        f"≤ {FILES_TARGET_S} s",
        again.wall_s <= FILES_TARGET_S,
    )
    growth = after.wall_s / before.wall_s
    what = f"growth from {files // 10} files ({before.wall_s:.1f} s) to {files}"
    yield Row(what, f"{growth:.1f} times", "linear: ≤ 10 times", growth <= 10)


def _change_one(suite: Path) -> None:
    file = next(each for each in suite.rglob("*.yaml") if each.name != "procedures.yaml")
    file.write_text(file.read_text() + "# Changed.\n")
