"""Fuzz all targets for the same time: `python -m qa.fuzz SECONDS`.

With `--guided TARGET`, atheris chooses the inputs of one target, guided by coverage, until it is stopped.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import seed

ROUND = "50"
PROGRESS_EVERY_S = 60.0


def main() -> int:
    """Run the command; an input that breaks a target raises an exception."""
    parser = argparse.ArgumentParser(prog="python -m qa.fuzz", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=50.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--guided", metavar="TARGET", help="let atheris choose the inputs of this target")
    options = parser.parse_args()
    if options.guided:
        return _run_guided(options.guided)
    return _run_rounds(options.seconds, options.seed)


def _run_rounds(seconds: float, first: int) -> int:
    os.environ["FUZZ_EXAMPLES"] = ROUND
    from tests.qa.test_fuzz import FUZZED

    print(f"seed {first}", flush=True)
    counts: Counter[str] = Counter()
    spent = dict.fromkeys(FUZZED, 0.0)
    reported_at, number = time.monotonic(), first
    end = reported_at + seconds
    try:
        while time.monotonic() < end:
            name = min(spent, key=spent.__getitem__)
            began = time.process_time()
            _run_round(name, FUZZED[name], number, counts)
            spent[name] += time.process_time() - began
            number += 1
            if time.monotonic() - reported_at > PROGRESS_EVERY_S:
                reported_at = time.monotonic()
                print(f"{counts.total():9} inputs so far", flush=True)
    finally:
        for name, count in counts.items():
            print(f"{count:9} {name.replace('_', ' ')}")
        print(f"{counts.total():9} inputs in all", flush=True)
    return 0


def _run_round(name: str, test: Any, number: int, counts: Counter[str]) -> None:
    inner: Callable[..., None] = test.hypothesis.inner_test

    def counted(*arguments: Any, **named: Any) -> None:
        counts[name] += 1
        inner(*arguments, **named)

    test.hypothesis.inner_test = counted
    try:
        seed(number)(test)()
    finally:
        test.hypothesis.inner_test = inner


def _run_guided(name: str) -> int:
    import atheris

    with atheris.instrument_imports(include=["run_scenarios"]):
        from tests.qa.test_fuzz import FUZZED
    atheris.Setup(sys.argv[:1], FUZZED[name].hypothesis.fuzz_one_input)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
