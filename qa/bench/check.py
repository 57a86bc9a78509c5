"""Start-up time of `--help`, `--list` and `--check`, and `--check` of many files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from qa.bench.measure import COMMAND, PASS, ROOT, Row, cost, median_ratio, seconds
from qa.bench.suite import STEPS, write_suite

CASES = str(ROOT / "scenarios" / "incremental-backup")
TARGETS = {"--help": ((), 4), "--list": ((CASES,), 30), "--check": ((CASES,), 32)}
SHIPPED_TARGET_S = 1.2
MANY_FILES_TARGET = 3.5


def start_up(pairs: int) -> Iterator[Row]:
    """Measure commands that run nothing against a Python that does nothing."""
    for option, (paths, target) in TARGETS.items():
        command = (*COMMAND, option, *paths)
        seconds(command)  # The QMP schema is cached from here on.
        measured = [(seconds(command), seconds(PASS)) for _ in range(pairs)]
        ratio = median_ratio(measured)
        ours, reference = (median(each) * 1000 for each in zip(*measured, strict=True))
        what = f"{option}{' of the thirteen cases' if paths else ''} / python -c pass"
        yield Row(what, f"{ratio:.1f} ({ours:.0f} ms against {reference:.0f} ms)", f"≤ {target}", ratio <= target)


def shipped_files(times: int) -> Iterator[Row]:
    """Measure `--check` of all shipped scenarios with an empty cache; the fastest run counts."""
    command = (*COMMAND, "--check", str(ROOT / "scenarios"))
    fastest = min(_seconds_without_cache(command) for _ in range(times))
    figure, target = f"{fastest:.2f} s", f"≤ {SHIPPED_TARGET_S} s"
    yield Row("--check of all shipped scenarios, empty cache", figure, target, fastest <= SHIPPED_TARGET_S)


def _seconds_without_cache(command: Sequence[str]) -> float:
    with tempfile.TemporaryDirectory(prefix="run-scenarios-bench-") as cache:
        return seconds(command, {"XDG_CACHE_HOME": cache})


def many_files(files: int, pairs: int) -> Iterator[Row]:
    """Measure `--check` of many files against PyYAML with libyaml, which only loads them."""
    with tempfile.TemporaryDirectory(prefix="run-scenarios-bench-") as suite:
        write_suite(Path(suite), files)
        measured = [(cost("run_scenarios", "--check", suite), cost("qa.bench.parse", suite)) for _ in range(pairs)]
    ratio = median_ratio([(ours.wall_s, parsed.wall_s) for ours, parsed in measured])
    ours, parsed = (median(each.wall_s for each in costs) for costs in zip(*measured, strict=True))
    peak = max(each.peak_mb for each, _ in measured)
    what = f"--check of {files} files of {STEPS} steps / loading them with libyaml"
    figure = f"{ratio:.1f} ({ours:.1f} s against {parsed:.1f} s; {peak:.0f} MB)"
    yield Row(what, figure, f"≤ {MANY_FILES_TARGET}", ratio <= MANY_FILES_TARGET)
