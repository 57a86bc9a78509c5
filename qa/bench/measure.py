"""What a command takes: wall time, its own processor time and that of its children, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
COMMAND = (str(Path(sys.executable).with_name("run-scenarios")),)
PASS = (sys.executable, "-c", "pass")


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, the figure, and the target in words."""

    measure: str
    figure: str
    target: str
    met: bool


class Cost(NamedTuple):
    """What one run took, in seconds, and the largest resident set of any one of its processes, in MB."""

    wall_s: float
    own_cpu_s: float
    children_cpu_s: float
    peak_mb: float


METER = """\
import json, resource, runpy, sys
status = 0
try:
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
except SystemExit as end:
    status = end.code
own, children = (resource.getrusage(each) for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
cpu = [each.ru_utime + each.ru_stime for each in (own, children)]
print(json.dumps([*cpu, max(own.ru_maxrss, children.ru_maxrss) / 1024]), file=sys.__stdout__)
sys.exit(status)
"""


def cost(module: str, *arguments: str) -> Cost:
    """Run a Python module in a process of its own, and return what it took.

    :raise subprocess.CalledProcessError: if it fails.
    """
    began = time.perf_counter()
    command = [sys.executable, "-c", METER, module, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, cwd=ROOT)
    wall = time.perf_counter() - began
    return Cost(wall, *json.loads(done.stdout.splitlines()[-1]))


def seconds(command: Sequence[str], environment: Mapping[str, str] = MappingProxyType({})) -> float:
    """Run a command, with these variables added to its environment, and return the seconds it took.

    :raise subprocess.CalledProcessError: if it fails.
    """
    began = time.perf_counter()
    null = subprocess.DEVNULL
    subprocess.run(command, check=True, env={**os.environ, **environment}, stdout=null, stderr=null)
    return time.perf_counter() - began


def median_ratio(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the median of the ratios of pairs, each measured one right after the other."""
    return median(ours / reference for ours, reference in pairs)
