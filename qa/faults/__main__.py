"""Inject faults at every step of scenarios: `python -m qa.faults [--seconds N | --sample N] [--seed S] PATH…`.

Each case runs once without a fault, to see what its steps run. Then faults are injected in stages: every kind once;
every kind at each verb; any kind at each step as written; a kind of every group at each such step; every possible kind
at each such step; and every possible kind at each step of each case. A seed decides the order within a stage. The exit
status is 0 if nothing leaked and nothing was wrong.
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
from run_scenarios.cli.parser import default_jobs
from run_scenarios.collection.collector import collect
from run_scenarios.qemu.programs import Programs, find_programs

from qa.faults.attempt import Fault, FaultRunner, Target
from qa.faults.judge import Verdict, judge
from qa.faults.kinds import KINDS, FaultKind

COLUMNS = ("noticed", "harmless", "nothing to hit", "leaked", "wrong")
STAGE_KEYS: tuple[Callable[[FaultKind, Target], Any], ...] = (
    lambda kind, target: kind.name,
    lambda kind, target: (kind.name, target.verb),
    lambda kind, target: target.source,
    lambda kind, target: (kind.group, target.source),
    lambda kind, target: (kind.name, target.source),
    lambda kind, target: (kind.name, target),
)
"""By stage: faults with the same key as an earlier fault wait for a later stage."""
MAX_FAULTS_PER_RUN = 12
"""How many cases of a run get a fault each."""
PROGRESS_EVERY_S = 60.0
PR_SET_PDEATHSIG = 1

_runner: FaultRunner


def main() -> int:
    """Run the command; return 0 if nothing leaked and nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m qa.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1e9, help="seconds to run")
    parser.add_argument("--sample", type=int, default=sys.maxsize, help="number of faults to inject")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument(
        "--kind",
        action="append",
        choices=[kind.name for kind in KINDS],
        help="only this kind",
    )
    parser.add_argument("-j", "--jobs", type=int, default=default_jobs(), help="runs at a time")
    parser.add_argument("paths", nargs="+", metavar="PATH")
    options = parser.parse_args()
    # When stopped, print the results so far.
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
            options.jobs, initializer=_start_worker, initargs=(programs, schema, Path(directory))
        ) as pool:
            return _run_campaign(options, pool, end)


def _start_worker(programs: Programs, schema: Path, directory: Path) -> None:
    global _runner
    # Ctrl-C stops the parent, and a worker exits with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _runner = FaultRunner(programs, schema, directory)


def _list_targets(case: str) -> list[Target]:
    return _runner.steps(case)


def _can_mount() -> bool:
    return _runner.can_mount


def _run_faults(faults: Sequence[tuple[int, Target]]) -> list[Verdict]:
    named = [(KINDS[number], target) for number, target in faults]
    return judge(named, _runner.attempt(named))


def _run_campaign(options: argparse.Namespace, pool: ProcessPoolExecutor, end: float) -> int:
    cases = [case.selector for case in collect(options.paths).cases]
    steps = list(pool.map(_list_targets, cases))
    print(f"{len(cases)} cases with {sum(map(len, steps))} steps; {steps.count([])} cannot run here", flush=True)
    kinds = [kind for kind in KINDS if not options.kind or kind.name in options.kind]
    if not pool.submit(_can_mount).result():
        kinds = [kind for kind in kinds if not kind.fills_disk]
        print("cannot mount a file system here: no disk is filled", flush=True)
    every = [(kind, target) for kind in kinds for case in steps for target in case if _can_inject(kind, target)]
    random.Random(options.seed).shuffle(every)
    # The fast ones first: those that share a run with others, and early steps, since the fault ends the case.
    every.sort(key=lambda fault: (fault[0].is_alone, fault[1].number))
    tally = Tally(every, {kind.name: Counter() for kind in kinds})
    try:
        print(f"{len(every)} faults are possible", flush=True)
        runs = chain.from_iterable(map(_group_into_runs, _split_into_stages(every, options.sample)))
        for faults, verdicts in _run_all(pool, runs, options.jobs, end):
            tally.take(faults, verdicts)
    except KeyboardInterrupt:
        print("stopped", flush=True)
    return tally.table()


def _can_inject(kind: FaultKind, target: Target) -> bool:
    return {"": True, "tool": target.runs_tool}.get(kind.needs, target.runs_qemu)


def _split_into_stages(every: Iterable[Fault], most: int = sys.maxsize) -> Iterator[Sequence[Fault]]:
    """Yield the faults of each stage.

    :param most: how many to yield in all stages together.
    """
    left, done = list(every), list[Fault]()
    for alike in STAGE_KEYS:
        seen, new, rest = {alike(*fault) for fault in done}, list[Fault](), list[Fault]()
        for fault in left:
            (rest if alike(*fault) in seen else new).append(fault)
            seen.add(alike(*fault))
        yield new[: max(0, most - len(done))]
        done += new
        left = rest


def _group_into_runs(faults: Iterable[Fault]) -> Iterator[tuple[Fault, ...]]:
    """Group faults into runs: several if each affects only its own case, each case once per run."""
    open_runs: list[dict[str, Fault]] = []
    for kind, target in faults:
        if kind.is_alone:
            yield ((kind, target),)
            continue
        run = next((each for each in open_runs if target.case not in each), None)
        if run is None:
            open_runs.append(run := {})
        run[target.case] = (kind, target)
        if len(run) == MAX_FAULTS_PER_RUN:
            open_runs.remove(run)
            yield tuple(run.values())
    yield from (tuple(run.values()) for run in open_runs)


def _run_all(
    pool: ProcessPoolExecutor, runs: Iterable[tuple[Fault, ...]], jobs: int, end: float
) -> Iterator[tuple[tuple[Fault, ...], list[Verdict]]]:
    """Run groups of faults in parallel, and yield the verdicts of each; start none after `end`."""
    numbers = {kind.name: number for number, kind in enumerate(KINDS)}
    running: dict[Future[list[Verdict]], tuple[Fault, ...]] = {}
    left = iter(runs)
    while True:
        while len(running) < jobs and time.monotonic() < end and (faults := next(left, None)):
            running[pool.submit(_run_faults, [(numbers[kind.name], target) for kind, target in faults])] = faults
        if not running:
            return
        for done in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(done), done.result()


@dataclass
class Tally:
    """The results so far.

    :param every: all possible faults.
    :param counts: how many faults had each outcome, by kind.
    """

    every: Sequence[Fault]
    counts: dict[str, Counter[str]]
    hit: set[tuple[str, str, str]] = field(default_factory=set)
    reported_at: float = field(default_factory=time.monotonic)

    def take(self, faults: Sequence[Fault], verdicts: Sequence[Verdict]) -> None:
        """Count the verdicts of a run, and print the problems."""
        for (kind, target), verdict in zip(faults, verdicts, strict=True):
            self.counts[kind.name][verdict.outcome] += 1
            self.hit.add((kind.name, *target.source))
            for problem in verdict.problems:
                print(f"{kind.name} at step {target.number} ({target.verb}) of {target.case}: {problem}", flush=True)
        if time.monotonic() - self.reported_at > PROGRESS_EVERY_S:
            self.reported_at = time.monotonic()
            print(self._summary(), flush=True)

    def table(self) -> int:
        """Print a table of the results, and return the exit status."""
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
            f"{self._total().total()} of {len(self.every)} possible faults were injected, at "
            f"{len({each[1:] for each in self.hit})} of {len({each[1:] for each in possible})} steps as written, "
            f"in {len(self.hit)} of {len(possible)} combinations of step and kind"
        )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped before the first fault")
