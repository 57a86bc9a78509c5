"""Scenario files read as YAML, and nothing else: what no check of them by the same parser can be faster than.

    python -m bench.parse DIRECTORY

Each is loaded into lists and mappings by PyYAML on libyaml, on all processors: no places, no limits, no look at it.
"""

from __future__ import annotations

import gc
import os
import sys
from multiprocessing import Pool
from pathlib import Path

import yaml

BATCH = 25


def main() -> None:
    """Load each file below the directory once."""
    files = sorted(Path(sys.argv[1]).rglob("*.yaml"))
    with Pool(len(os.sched_getaffinity(0)), initializer=gc.disable) as pool:
        loaded = sum(pool.imap_unordered(_load, files, BATCH))
    assert loaded == len(files), "each is a mapping"


def _load(file: Path) -> bool:
    return isinstance(yaml.load(file.read_bytes(), yaml.CSafeLoader), dict)


if __name__ == "__main__":
    main()
