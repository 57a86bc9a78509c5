"""A run against the bare processes: the same case 200 times, and all cases one at a time and side by side.

Ours and the floor are measured in turn, so that what else the machine does is in both, and both use the same TEST_DIR.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from run_scenarios.cli.parser import default_jobs

from qa.bench.measure import COMMAND, ROOT, Cost, Row, cost, median_ratio

CASE = "scenarios/incremental-backup/simple.yaml::granularity=default"
WALL_TARGET, CPU_TARGET = 1.15, 0.25


def rows(repeat: int, pairs: int) -> Iterator[Row]:
    """Measure a run of one case `repeat` times beside its floor, and the speed-up of all cases beside the floor's."""
    with tempfile.TemporaryDirectory(prefix="run-scenarios-bench-") as directory:
        trace = record(Path(directory))
        yield from _against_the_floor(str(trace), repeat, pairs)
        yield _speed_up(str(trace), pairs)


def record(directory: Path) -> Path:
    """Run the case once, and return its trace."""
    command = [*COMMAND, CASE, "--artifacts", str(directory)]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    (trace,) = directory.glob("*/trace.jsonl")
    return trace


def _against_the_floor(trace: str, repeat: int, pairs: int) -> Iterator[Row]:
    jobs = default_jobs()
    measured = [(_ours("-j", jobs, "--repeat", repeat, CASE), _floor(trace, repeat, jobs)) for _ in range(pairs)]
    wall = median_ratio([(ours.wall_s, floor.wall_s) for ours, floor in measured])
    figure = f"{wall:.2f} ({_median_wall(measured, 0):.1f} s against {_median_wall(measured, 1):.1f} s)"
    what = f"{repeat} × incremental-simple, {jobs} at a time: our wall time / the floor's"
    yield Row(what, figure, f"≤ {WALL_TARGET}", wall <= WALL_TARGET)
    cpu = median(ours.own_cpu_s / ours.children_cpu_s for ours, _ in measured)
    figure = (
        f"{cpu:.2f} (the floor's driver: {median(each.own_cpu_s / each.children_cpu_s for _, each in measured):.2f})"
    )
    yield Row("processor time of ours / of the children, in that run", figure, f"≤ {CPU_TARGET}", cpu <= CPU_TARGET)


def _speed_up(trace: str, pairs: int) -> Row:
    jobs = default_jobs()
    ours = median_ratio([(_all_cases(1), _all_cases(jobs)) for _ in range(pairs)])
    floor = median_ratio([(_floor(trace, 30, 1).wall_s, _floor(trace, 30, jobs).wall_s) for _ in range(pairs)])
    what = "all shipped cases, one after the other / side by side, both from start to exit"
    return Row(what, f"{ours:.2f}", f"≥ {floor:.2f}, the floor's", ours >= floor)


def _all_cases(jobs: int) -> float:
    return _ours("-j", jobs, "scenarios").wall_s


def _ours(*arguments: object) -> Cost:
    return cost("run_scenarios", *map(str, arguments))


def _floor(trace: str, times: int, workers: int) -> Cost:
    return cost("qa.bench.floor", trace, str(times), str(workers))


def _median_wall(measured: list[tuple[Cost, Cost]], side: int) -> float:
    return median(pair[side].wall_s for pair in measured)
