"""Fuzz: `python -m qa.fuzz SECONDS`, each target for as long as any other; prints how many inputs there were.

With `--guided TARGET` it is atheris that chooses the inputs of one target, guided by coverage, until it is stopped.
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
TELL_EVERY_S = 60.0


def main() -> int:
    """Run the command; 0 if no input was found that breaks anything."""
    parser = argparse.ArgumentParser(prog="python -m qa.fuzz", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=50.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--guided", metavar="TARGET", help="let atheris choose the inputs of this target")
    options = parser.parse_args()
    if options.guided:
        return _guided(options.guided)
    return _in_rounds(options.seconds, options.seed)


def _in_rounds(seconds: float, first: int) -> int:
    os.environ["FUZZ_EXAMPLES"] = ROUND
    from tests.qa.test_fuzz import FUZZED

    print(f"seed {first}", flush=True)
    counts: Counter[str] = Counter()
    spent = dict.fromkeys(FUZZED, 0.0)
    told, number = time.monotonic(), first
    end = told + seconds
    try:
        while time.monotonic() < end:
            name = min(spent, key=spent.__getitem__)
            began = time.process_time()
            _round(name, FUZZED[name], number, counts)
            spent[name] += time.process_time() - began
            number += 1
            if time.monotonic() - told > TELL_EVERY_S:
                told = time.monotonic()
                print(f"{counts.total():9} inputs so far", flush=True)
    finally:
        for name, count in counts.items():
            print(f"{count:9} {name.replace('_', ' ')}")
        print(f"{counts.total():9} inputs in all", flush=True)
    return 0


def _round(name: str, test: Any, number: int, counts: Counter[str]) -> None:
    inner: Callable[..., None] = test.hypothesis.inner_test

    def counted(*arguments: Any, **named: Any) -> None:
        counts[name] += 1
        inner(*arguments, **named)

    test.hypothesis.inner_test = counted
    try:
        seed(number)(test)()
    finally:
        test.hypothesis.inner_test = inner


def _guided(name: str) -> int:
    import atheris

    with atheris.instrument_imports(include=["run_scenarios"]):
        from tests.qa.test_fuzz import FUZZED
    atheris.Setup(sys.argv[:1], FUZZED[name].hypothesis.fuzz_one_input)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
