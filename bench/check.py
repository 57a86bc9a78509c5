"""What comes before a run: `--help`, `--list` and `--check` beside the start of Python; `--check` of 10,000 files.

    python -m bench.check [--pairs N] [--files N]

A ratio is the median of ours over the median of the reference, each pair measured one right after the other, so that
what else the machine does is in both. Memory is the largest resident set of any one process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.suite import STEPS, write_suite

ROOT = Path(__file__).parent.parent
CASES = str(ROOT / "scenarios" / "incremental-backup")
COMMAND = (str(Path(sys.executable).with_name("run-scenarios")),)
PASS = (sys.executable, "-c", "pass")
TARGETS = {"--help": ((), 4), "--list": ((CASES,), 8), "--check": ((CASES,), 10)}
FILES_TARGET_S = 10


def main() -> None:
    """Print one line for each measure: ours, the reference, the ratio, the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=11, help="how often each pair is measured (%(default)s)")
    parser.add_argument("--files", type=int, default=10_000, help="how many scenario files to check (%(default)s)")
    options = parser.parse_args()
    for option, (paths, target) in TARGETS.items():
        start_up(option, paths, target, options.pairs)
    check_of_many(options.files)


def start_up(option: str, paths: tuple[str, ...], target: float, pairs: int) -> None:
    """Measure a command that starts, answers and ends, against a Python that does nothing."""
    ours: list[float] = []
    reference: list[float] = []
    _seconds((*COMMAND, option, *paths))  # What is cached is cached from here on.
    for _ in range(pairs):
        ours.append(_seconds((*COMMAND, option, *paths)))
        reference.append(_seconds(PASS))
    ratio = median(ours) / median(reference)
    print(f"{option}: {_ms(ours)} against {_ms(reference)} for python -c pass: {ratio:.1f}, at most {target}")


def check_of_many(files: int) -> None:
    """Measure `--check` of many files, and of a tenth of them, with nothing cached but what QEMU says of itself."""
    with tempfile.TemporaryDirectory(prefix="run-scenarios-bench-") as name:
        few, many = Path(name, "few"), Path(name, "many")
        write_suite(few, files // 10)
        write_suite(many, files)
        seconds = {each: _seconds((*COMMAND, "--check", str(each))) for each in (few, many)}
        memory = _megabytes((*COMMAND, "--check", str(many)))
    print(f"--check of {files} files of {STEPS} steps: {seconds[many]:.1f} s, at most {FILES_TARGET_S}")
    print(f"  on {len(os.sched_getaffinity(0))} processors, {memory:.0f} MB at most in a process")
    print(f"  {seconds[many] / seconds[few]:.1f} times what a tenth of them take ({seconds[few]:.1f} s)")


def _seconds(command: tuple[str, ...]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _megabytes(command: tuple[str, ...]) -> float:
    """Return the largest resident set of a command, or of a process it waited for."""
    measured = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=2, check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run((sys.executable, "-c", measured, *command), capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def _ms(times: list[float]) -> str:
    return f"{median(times) * 1000:.0f} ms"


if __name__ == "__main__":
    main()
