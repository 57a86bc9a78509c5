"""Load scenario files with PyYAML and libyaml, and do nothing else with them: the lower bound of a check.

    python -m qa.bench.parse DIRECTORY

Each file becomes lists and mappings, on all processors.
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
