"""Inject faults at every step of scenarios: `python -m tests.faults [--seconds N | --sample N] [--seed S] PATH…`.

What each step runs is found out first. Then every kind of fault strikes at each verb once, and after that wherever it
has not struck yet, in an order that the seed decides, until all is done or the time is over. Status 0: nothing leaked
or was wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from pathlib import Path

from runner.cli import main as run_command
from runner.collect import collect
from runner.options import default_jobs
from runner.programs import Programs, find_programs
from tests.faults.attempt import Attempts, Target
from tests.faults.judge import Verdict, judge
from tests.faults.kinds import KINDS, Kind

COLUMNS = ("noticed", "harmless", "nothing to hit", "leaked", "wrong")
Chosen = tuple[Kind, Target]

_attempts: Attempts


def main() -> int:
    """Run the command; 0 if nothing leaked or was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1e9, help="how long to go on")
    parser.add_argument("--sample", type=int, help="how many faults to inject")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--kind", action="append", choices=[kind.name for kind in KINDS], help="only this kind")
    parser.add_argument("-j", "--jobs", type=int, default=default_jobs(), help="attempts at a time")
    parser.add_argument("paths", nargs="+", metavar="PATH")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    end = time.monotonic() + options.seconds
    programs = find_programs({}, os.environ)
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        schema = Path(directory, "qmp.json")
        if run_command(["--save-qmp-schema", str(schema)]):
            return 1
        with ProcessPoolExecutor(options.jobs, initializer=_begin, initargs=(programs, schema)) as pool:
            return _sweep(options, pool, end)


def _begin(programs: Programs, schema: Path) -> None:
    global _attempts
    _attempts = Attempts(programs, schema)


def _steps(case: str) -> list[Target]:
    return _attempts.steps(case)


def _can_mount() -> bool:
    return _attempts.can_mount


def _attempt(number: int, target: Target) -> Verdict:
    kind = KINDS[number]
    return judge(kind, target, _attempts.attempt(kind, target))


def _sweep(options: argparse.Namespace, pool: ProcessPoolExecutor, end: float) -> int:
    cases = [case.selector for case in collect(options.paths).cases]
    steps = list(pool.map(_steps, cases))
    print(f"{len(cases)} cases with {sum(map(len, steps))} steps; {steps.count([])} cannot run here", flush=True)
    kinds = [kind for kind in KINDS if not options.kind or kind.name in options.kind]
    if not pool.submit(_can_mount).result():
        kinds = [kind for kind in kinds if not kind.fills_disk]
        print("nothing can be mounted here: no disk is filled", flush=True)
    every = [(kind, target) for kind in kinds for case in steps for target in case if _can_strike(kind, target)]
    random.Random(options.seed).shuffle(every)
    chosen = islice(_new_ones_first(every), options.sample)
    counts = {kind.name: Counter[str]() for kind in kinds}
    for (kind, target), verdict in _verdicts(pool, chosen, options.jobs, end):
        counts[kind.name][verdict.came_to] += 1
        for problem in verdict.problems:
            print(f"{kind.name} at step {target.number} ({target.verb}) of {target.case}: {problem}", flush=True)
    return _table(counts, len(every))


def _can_strike(kind: Kind, target: Target) -> bool:
    return {"": True, "tool": target.runs_tool}.get(kind.needs, target.runs_qemu)


def _new_ones_first(every: Iterable[Chosen]) -> Iterator[Chosen]:
    """Yield for each kind a step of each verb first, then the rest."""
    seen, rest = set(), []
    for kind, target in every:
        if (kind.name, target.verb) in seen:
            rest.append((kind, target))
        else:
            seen.add((kind.name, target.verb))
            yield kind, target
    yield from rest


def _verdicts(
    pool: ProcessPoolExecutor, chosen: Iterable[Chosen], jobs: int, end: float
) -> Iterator[tuple[Chosen, Verdict]]:
    """Make attempts side by side, and yield what came of each; begin none after the end of the time."""
    numbers = {kind.name: number for number, kind in enumerate(KINDS)}
    running: dict[Future[Verdict], Chosen] = {}
    left = iter(chosen)
    while True:
        while len(running) < jobs and time.monotonic() < end and (one := next(left, None)):
            running[pool.submit(_attempt, numbers[one[0].name], one[1])] = one
        if not running:
            return
        for done in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(done), done.result()


def _table(counts: dict[str, Counter[str]], possible: int) -> int:
    print(f"{'':24}{'injected':>10}" + "".join(f"{column:>16}" for column in COLUMNS))
    total = sum(counts.values(), Counter[str]())
    for name, count in [*counts.items(), ("all", total)]:
        print(f"{name:24}{count.total():10}" + "".join(f"{count[column]:16}" for column in COLUMNS))
    print(f"{total.total()} of {possible} possible faults were injected", flush=True)
    return 1 if total["leaked"] or total["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
