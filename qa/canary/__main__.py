"""Look for ways out of a case's directory: `python -m qa.canary [--refused N] [--traced N] [--seed N]`.

First N steps that name a file outside must all be refused. Then command lines at random are checked, and N that are let
through run under strace: none may open, create or connect to anything outside but files of the system.
"""

from __future__ import annotations

import argparse
import os
import random
import sys

from run_scenarios.core.nodes import JsonValue, from_json
from run_scenarios.core.source import Source, Span
from run_scenarios.qemu.programs import find_programs
from run_scenarios.scenario.confinement import find_escapes

from qa.canary.letting_through import find_escape, make_line
from qa.canary.naming import make_attempt

NOWHERE = Span(Source("case.yaml", ""), 1, 1)


def is_refused(verb: str, argument: JsonValue) -> bool:
    """Tell whether a step with this argument is refused."""
    return bool(find_escapes(verb, from_json(argument, NOWHERE)))


def main() -> int:
    """Run the command; 0 if no way out was found."""
    parser = argparse.ArgumentParser(prog="python -m qa.canary", description=__doc__)
    parser.add_argument("--refused", type=int, default=100_000, metavar="N")
    parser.add_argument("--traced", type=int, default=2_000, metavar="N")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    found = _try_names(random.Random(options.seed), options.refused)
    found += _trace_lines(random.Random(options.seed), options.traced)
    return 1 if found else 0


def _try_names(source: random.Random, count: int) -> int:
    attempts = [make_attempt(source) for _ in range(count)]
    through = [each for each in attempts if not is_refused(each.verb, each.argument)]
    for each in through[:20]:
        print(f"let through: {each.verb}: {each.argument}")
    print(f"{count} steps that name a file outside, {len(through)} let through", flush=True)
    return len(through)


def _trace_lines(source: random.Random, count: int) -> int:
    programs = find_programs({}, os.environ)
    made = traced = escaped = 0
    while traced < count:
        line = make_line(source)
        made += 1
        if is_refused(line.verb, line.argument) or any("\0" in word for word in line.words):
            continue
        traced += 1
        escape = find_escape([programs[line.program], *line.words])
        if escape:
            escaped += 1
            print(f"escaped: {line.program} {line.words}\n  {escape}", flush=True)
    print(f"{made} command lines at random, {traced} let through and traced, {escaped} reached outside", flush=True)
    return escaped


if __name__ == "__main__":
    sys.exit(main())
