"""Measure what the runner costs, as a table: `python -m qa.bench [PART…]`.

Each ratio is the median over pairs that are measured one right after the other, so that other load on the machine
affects both. The exit status is 1 if a target was missed.
"""

from __future__ import annotations

import argparse
import compileall
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from qa.bench import check, html, memory, run
from qa.bench.measure import ROOT, Row

PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "run": lambda: run.rows(repeat=200, pairs=5),
    "start-up": lambda: check.start_up(pairs=15),
    "shipped": lambda: check.shipped_files(times=5),
    "files": lambda: check.many_files(1000, pairs=5),
    "memory": lambda: memory.rows(10_000),
    "page": lambda: html.rows(1000, times=5),
}


def main() -> int:
    """Measure the parts named, all by default, and print each row as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    wanted = parser.parse_args().parts or [*PARTS]
    # pip does the same when it installs a package.
    compileall.compile_dir(ROOT / "runner", quiet=1)
    qemu = os.environ.get("QEMU_PROG", "qemu-system-x86_64")
    version = subprocess.run([qemu, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    print(f"{datetime.now(UTC):%Y-%m-%d}, {version}, {len(os.sched_getaffinity(0))} processors\n")
    print("| measure | measured | target | |\n|---|---|---|---|", flush=True)
    missed = 0
    for part in wanted:
        for row in PARTS[part]():
            missed += not row.met
            print(f"| {row.measure} | {row.figure} | {row.target} | {'' if row.met else 'missed'} |", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
