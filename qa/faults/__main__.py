"""Inject faults at every step of scenarios: `python -m qa.faults [--seconds N | --sample N] [--seed S] PATH…`.

What each step runs is found out first. Then every kind of fault strikes somewhere, and at each verb; each step as
written is struck by any kind, by one kind of every group that can strike there, and by every kind that can; and at last
each step of each case is. A seed decides the order. Status 0: nothing leaked or was wrong.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from run_scenarios.cli.main import main as run_command
from run_scenarios.cli.options import default_jobs
from run_scenarios.collection.collector import collect
from run_scenarios.qemu.programs import Programs, find_programs

from qa.faults.attempt import Attempts, Blow, Target
from qa.faults.judge import Verdict, judge
from qa.faults.kinds import KINDS, Kind

COLUMNS = ("noticed", "harmless", "nothing to hit", "leaked", "wrong")
ALIKE: tuple[Callable[[Kind, Target], Any], ...] = (
    lambda kind, target: kind.name,
    lambda kind, target: (kind.name, target.verb),
    lambda kind, target: target.source,
    lambda kind, target: (kind.group, target.source),
    lambda kind, target: (kind.name, target.source),
    lambda kind, target: (kind.name, target),
)
"""What a fault must not share with one that has struck, stage by stage; in the last, all that tells it from others."""
AT_ONCE = 12
"""How many cases of a run are struck, each by a fault of its own."""
TELL_EVERY_S = 60.0
PR_SET_PDEATHSIG = 1

_attempts: Attempts


def main() -> int:
    """Run the command; 0 if nothing leaked or was wrong."""
    parser = argparse.ArgumentParser(prog="python -m qa.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1e9, help="how long to go on")
    parser.add_argument("--sample", type=int, default=sys.maxsize, help="how many faults to inject")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--kind", action="append", choices=[kind.name for kind in KINDS], help="only this kind")
    parser.add_argument("-j", "--jobs", type=int, default=default_jobs(), help="attempts at a time")
    parser.add_argument("paths", nargs="+", metavar="PATH")
    options = parser.parse_args()
    # Whoever stops it wants to see what it has come to.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(f"seed {options.seed}", flush=True)
    end = time.monotonic() + options.seconds
    programs = find_programs({}, os.environ)
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        schema = Path(directory, "qmp.json")
        if run_command(["--save-qmp-schema", str(schema)]):
            return 1
        with ProcessPoolExecutor(
            options.jobs, initializer=_begin, initargs=(programs, schema, Path(directory))
        ) as pool:
            return _sweep(options, pool, end)


def _begin(programs: Programs, schema: Path, directory: Path) -> None:
    global _attempts
    # Ctrl-C is for the one that counts; without that one there is nothing to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _attempts = Attempts(programs, schema, directory)


def _steps(case: str) -> list[Target]:
    return _attempts.steps(case)


def _can_mount() -> bool:
    return _attempts.can_mount


def _attempt(blows: Sequence[tuple[int, Target]]) -> list[Verdict]:
    named = [(KINDS[number], target) for number, target in blows]
    return judge(named, _attempts.attempt(named))


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
    # Among equals what takes little time: what shares a run with others; early steps, for a case ends that is struck.
    every.sort(key=lambda blow: (blow[0].is_alone, blow[1].number))
    sweep = Sweep(every, {kind.name: Counter() for kind in kinds})
    try:
        print(f"{len(every)} faults are possible", flush=True)
        runs = chain.from_iterable(map(_runs, _stages(every, options.sample)))
        for blows, verdicts in _verdicts(pool, runs, options.jobs, end):
            sweep.take(blows, verdicts)
    except KeyboardInterrupt:
        print("stopped", flush=True)
    return sweep.table()


def _can_strike(kind: Kind, target: Target) -> bool:
    return {"": True, "tool": target.runs_tool}.get(kind.needs, target.runs_qemu)


def _stages(every: Iterable[Blow], most: int = sys.maxsize) -> Iterator[Sequence[Blow]]:
    """Yield what strikes where nothing like it has struck before first; one stage is over before the next begins.

    :param most: how many there are in all stages together.
    """
    left, done = list(every), list[Blow]()
    for alike in ALIKE:
        seen, new, rest = {alike(*blow) for blow in done}, list[Blow](), list[Blow]()
        for blow in left:
            (rest if alike(*blow) in seen else new).append(blow)
            seen.add(alike(*blow))
        yield new[: max(0, most - len(done))]
        done += new
        left = rest


def _runs(blows: Iterable[Blow]) -> Iterator[tuple[Blow, ...]]:
    """Yield what strikes in one run: what hits no more than its case together with others, each case once."""
    open_runs: list[dict[str, Blow]] = []
    for kind, target in blows:
        if kind.is_alone:
            yield ((kind, target),)
            continue
        run = next((each for each in open_runs if target.case not in each), None)
        if run is None:
            open_runs.append(run := {})
        run[target.case] = (kind, target)
        if len(run) == AT_ONCE:
            open_runs.remove(run)
            yield tuple(run.values())
    yield from (tuple(run.values()) for run in open_runs)


def _verdicts(
    pool: ProcessPoolExecutor, runs: Iterable[tuple[Blow, ...]], jobs: int, end: float
) -> Iterator[tuple[tuple[Blow, ...], list[Verdict]]]:
    """Make attempts side by side, and yield what came of each; begin none after the end of the time."""
    numbers = {kind.name: number for number, kind in enumerate(KINDS)}
    running: dict[Future[list[Verdict]], tuple[Blow, ...]] = {}
    left = iter(runs)
    while True:
        while len(running) < jobs and time.monotonic() < end and (blows := next(left, None)):
            running[pool.submit(_attempt, [(numbers[kind.name], target) for kind, target in blows])] = blows
        if not running:
            return
        for done in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(done), done.result()


@dataclass
class Sweep:
    """What came of the faults so far.

    :param every: all that are possible.
    :param counts: what they came to, by kind.
    """

    every: Sequence[Blow]
    counts: dict[str, Counter[str]]
    struck: set[tuple[str, str, str]] = field(default_factory=set)
    told: float = field(default_factory=time.monotonic)

    def take(self, blows: Sequence[Blow], verdicts: Sequence[Verdict]) -> None:
        """Count what came of a run, and show what went wrong."""
        for (kind, target), verdict in zip(blows, verdicts, strict=True):
            self.counts[kind.name][verdict.came_to] += 1
            self.struck.add((kind.name, *target.source))
            for problem in verdict.problems:
                print(f"{kind.name} at step {target.number} ({target.verb}) of {target.case}: {problem}", flush=True)
        if time.monotonic() - self.told > TELL_EVERY_S:
            self.told = time.monotonic()
            print(self._summary(), flush=True)

    def table(self) -> int:
        """Print what came of all of them, and return the status of the command."""
        print(f"{'':24}{'injected':>10}" + "".join(f"{column:>16}" for column in COLUMNS))
        for name, count in [*self.counts.items(), ("all", self._total())]:
            print(f"{name:24}{count.total():10}" + "".join(f"{count[column]:16}" for column in COLUMNS))
        print(self._summary(), flush=True)
        return 1 if self._total()["leaked"] or self._total()["wrong"] else 0

    def _total(self) -> Counter[str]:
        return sum(self.counts.values(), Counter[str]())

    def _summary(self) -> str:
        possible = {(kind.name, *target.source) for kind, target in self.every}
        return (
            f"{self._total().total()} of {len(self.every)} possible faults were injected; as written, "
            f"{len({each[1:] for each in self.struck})} of {len({each[1:] for each in possible})} steps were struck, "
            f"by {len(self.struck)} of {len(possible)} kinds that can strike there"
        )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped before the first fault")
