"""Judge a run with faults: each fault must be noticed, and the rest of the run must be unaffected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qa.faults.attempt import HEALTHY_NAME, Fault, Observation, Target
from qa.faults.kinds import TIMED_OUT, FaultKind
from tests.report.taplint import lint
from tests.support.scenarios import Run, TapPoint

MAX_MEMORY = 300 << 20
MAX_KEPT = 32 << 20
REPORT_KEYS = ("message", "hint", "details", "stderr_tail", "found")


@dataclass(frozen=True)
class Verdict:
    """The verdict on one fault.

    :param outcome: "nothing to hit", "noticed", "harmless"; or "leaked" or "wrong", with the problems.
    """

    outcome: str
    problems: tuple[str, ...] = ()


def judge(faults: Sequence[Fault], seen: Observation) -> list[Verdict]:
    """Return a verdict on each fault of a run; a problem of the whole run counts for all of them."""
    if seen.left:
        return [Verdict("leaked", seen.left)] * len(faults)
    run = Run(seen.status or 0, seen.report, seen.stderr)
    points = {point.name: point for point in run.points}
    of_run = [*_check_run(faults[0][0], seen)]
    ended = faults[0][0].ends_with is not None and bool(seen.hit)
    if not ended:
        healthy = [name for name in seen.names if HEALTHY_NAME in name]
        of_run += [f"'{name}' did not pass" for name in healthy if name not in points or not points[name].ok]
        of_run += [] if healthy else ["no case began"]
    hit = [name for name in seen.names if HEALTHY_NAME not in name] or [""] * len(faults)
    return [_judge_fault(fault, seen, name, points.get(name), of_run) for fault, name in zip(faults, hit, strict=True)]


def _judge_fault(fault: Fault, seen: Observation, name: str, point: TapPoint | None, of_run: list[str]) -> Verdict:
    kind, target = fault
    hit = name in seen.hit
    problems = [*of_run]
    if hit and kind.ends_with is not None:
        problems += _check_ended_run(kind, seen, point)
    elif hit:
        problems += _check_case(kind, target, point)
    elif point is None or not point.ok:
        problems.append(f"failed although it was not hit: {_report_text(point)[:300]!r}")
    if problems:
        return Verdict("wrong", tuple(problems))
    return Verdict("nothing to hit" if not hit else "harmless" if point and point.ok else "noticed")


def _check_run(kind: FaultKind, seen: Observation) -> Iterator[str]:
    if seen.status is None:
        yield "the run did not end"
    if re.search("internal error|Traceback|Error in sys|bug of run-scenarios", seen.report + seen.stderr):
        yield "a bug in run-scenarios"
    if seen.peak > MAX_MEMORY:
        yield f"took {seen.peak >> 20} MiB of memory"
    if seen.kept > MAX_KEPT * max(1, len(seen.hit)):
        yield f"kept {seen.kept >> 20} MiB"
    if kind.name not in ("runner-killed", "report-unwritable"):
        yield from lint(seen.report)
    elif seen.report and not re.match(r"TAP version 13\n1\.\.2\n", seen.report):
        yield "no plan"


def _check_ended_run(kind: FaultKind, seen: Observation, hit: TapPoint | None) -> Iterator[str]:
    """Yield the problems of a run that was to end; a signal during the last step of the last case may come too late."""
    if seen.status == kind.ends_with:
        return
    if seen.status != 0 or hit is None or not hit.ok:
        yield f"status {seen.status} instead of {kind.ends_with}"


def _check_case(kind: FaultKind, target: Target, hit: TapPoint | None) -> Iterator[str]:
    if hit is None:
        yield "no test point"
    elif hit.ok:
        if not kind.may_pass and not target.soon_kills:
            yield "passed in spite of the fault"
    else:
        text = _report_text(hit)
        # The fault of a QEMU that is killed next goes unnoticed, but the rest of the case has little time.
        cause = f"{kind.cause}|{TIMED_OUT}" if target.soon_kills and kind.hangs else kind.cause
        if not re.search(cause, text):
            yield f"the cause is not named: {text[:300]!r}"


def _report_text(point: TapPoint | None) -> str:
    return "\n".join(str(point.block.get(key, "")) for key in REPORT_KEYS) if point else "no test point"
