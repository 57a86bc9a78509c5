"""Run cases again and again on a machine that has too much to do: `python -m qa.soak --rounds N --load N PATH…`.

The load is made of cases: so many at a time that LOAD processes wait for each processor. Every failure is printed as it
comes; in the end how many runs of how many cases passed, and the mean of the system's load average, by processor. The
status is 0 if none failed.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean

POINT = re.compile(r"(?P<not>not )?ok \d+ - (?P<name>.*?)(?: # (?P<directive>SKIP|TODO) .*)?$")
ROUND = re.compile(r" \(round \d+ of \d+\)$")
# A case waits about half of its time for its QEMU, and its QEMU for it.
CASES_PER_WAITING_PROCESS = 2
TELL_EVERY_S = 60.0
PROCESSORS = len(os.sched_getaffinity(0))


@dataclass
class Tally:
    """What came of the runs so far.

    :param counts: points that passed, failed, were skipped, or are known to fail.
    :param rounds: how often each case was run.
    :param loads: the system's load average at the end of each run.
    """

    counts: Counter[str] = field(default_factory=Counter)
    rounds: Counter[str] = field(default_factory=Counter)
    loads: list[float] = field(default_factory=list)

    def take(self, found: re.Match[str]) -> bool:
        """Count a point, and tell whether it failed."""
        directive = found["directive"]
        kind = {"SKIP": "skipped", "TODO": "known to fail"}.get(directive) or ("failed" if found["not"] else "passed")
        self.counts[kind] += 1
        self.loads.append(os.getloadavg()[0] / PROCESSORS)
        if kind != "skipped":
            self.rounds[ROUND.sub("", found["name"])] += 1
        return kind == "failed"

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.counts.items()) or "nothing has run"
        cases = "1 case" if len(self.rounds) == 1 else f"{len(self.rounds)} cases"
        least, most = min(self.rounds.values(), default=0), max(self.rounds.values(), default=0)
        load = f"load {fmean(self.loads or [0]):.1f}"
        return f"{kinds}; {cases}, {most if least == most else f'{least} to {most}'} rounds of each; {load}"


def main() -> int:
    """Run the command; 0 if every run of every case passed."""
    parser = argparse.ArgumentParser(prog="python -m qa.soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--load", type=int, default=4, help="how many processes are to wait for each processor")
    parser.add_argument("paths", nargs="+", metavar="PATH")
    options = parser.parse_args()
    workers = CASES_PER_WAITING_PROCESS * options.load * PROCESSORS
    tally = Tally()
    command = [
        sys.executable,
        "-m",
        "run_scenarios",
        "--repeat",
        str(options.rounds),
        "-j",
        str(workers),
        *options.paths,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as runner:
        assert runner.stdout
        # Ctrl-C goes to the runner as well, whose report then says what it has come to.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        follow(runner.stdout, tally)
        status = runner.wait()
    print(f"{tally}; status {status}", flush=True)
    return status or (0 if tally.counts["passed"] else 1)


def follow(report: Iterable[str], tally: Tally) -> None:
    """Count the points of a report as they come; show those that failed, with their blocks."""
    failed, told = False, time.monotonic()
    for line in report:
        if found := POINT.match(line.rstrip("\n")):
            failed = tally.take(found)
        if failed or line.startswith("Bail out!"):
            print(line, end="", flush=True)
        failed = failed and line != "  ...\n"
        if time.monotonic() - told > TELL_EVERY_S:
            told = time.monotonic()
            print(tally, flush=True)


if __name__ == "__main__":
    sys.exit(main())
