"""Run cases for many rounds on an overloaded machine: `python -m qa.soak --rounds N --load N PATH…`.

As many cases run at a time as keep LOAD processes waiting for each processor. Failures are printed as they happen; at
the end come the number of passed runs and cases, and the mean load average per processor. The exit status is 0 if no
case failed.
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
# A case and its QEMU take turns: about one of the two is runnable at any time.
CASES_PER_WAITING_PROCESS = 2
PROGRESS_EVERY_S = 60.0
PROCESSORS = len(os.sched_getaffinity(0))


@dataclass
class Tally:
    """The results so far.

    :param counts: the number of points that passed, failed, were skipped, or are known to fail.
    :param rounds: the number of runs of each case.
    :param loads: the load average per processor at the end of each run.
    """

    counts: Counter[str] = field(default_factory=Counter)
    rounds: Counter[str] = field(default_factory=Counter)
    loads: list[float] = field(default_factory=list)

    def count_point(self, found: re.Match[str]) -> bool:
        """Count a test point; return whether it failed."""
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
    """Run the command; return 0 if every run of every case passed."""
    parser = argparse.ArgumentParser(prog="python -m qa.soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--load", type=int, default=4, help="number of processes waiting for each processor")
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
        # Ctrl-C goes to the runner as well, which then finishes its report.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        follow(runner.stdout, tally)
        status = runner.wait()
    print(f"{tally}; status {status}", flush=True)
    return status or (0 if tally.counts["passed"] else 1)


def follow(report: Iterable[str], tally: Tally) -> None:
    """Count the test points of a report as they come, and print those that failed with their YAML blocks."""
    failed, reported_at = False, time.monotonic()
    for line in report:
        if found := POINT.match(line.rstrip("\n")):
            failed = tally.count_point(found)
        if failed or line.startswith("Bail out!"):
            print(line, end="", flush=True)
        failed = failed and line != "  ...\n"
        if time.monotonic() - reported_at > PROGRESS_EVERY_S:
            reported_at = time.monotonic()
            print(tally, flush=True)


if __name__ == "__main__":
    sys.exit(main())
