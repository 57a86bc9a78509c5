"""Scenario files read as YAML, and nothing else: what no check of them by the same parser can be faster than.

    python -m qa.bench.parse DIRECTORY

Each is loaded into lists and mappings by PyYAML on libyaml, on all processors: no places, no limits, no look at it.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import yaml
from run_scenarios.core.worker_pool import map_in_order


def main() -> None:
    """Load each file below the directory once."""
    files = sorted(Path(sys.argv[1]).rglob("*.yaml"))
    gc.disable()
    loaded = sum(map_in_order(_load, files, len(os.sched_getaffinity(0))))
    assert loaded == len(files), "each is a mapping"


def _load(file: Path) -> bool:
    return isinstance(yaml.load(file.read_bytes(), yaml.CSafeLoader), dict)


if __name__ == "__main__":
    main()
