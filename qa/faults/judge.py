"""What came of an attempt: whether each fault was noticed, and whether what must hold of every run held."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qa.faults.attempt import HEALTHY_NAME, Blow, Observed, Target
from qa.faults.kinds import TIMED_OUT, Kind
from tests.report.taplint import lint
from tests.support.scenarios import Run, TapPoint

MOST_MEMORY = 300 << 20
MOST_KEPT = 32 << 20
TELLING = ("message", "hint", "details", "stderr_tail", "found")


@dataclass(frozen=True)
class Verdict:
    """What came of an attempt.

    :param came_to: "nothing to hit", "noticed" or "harmless"; "leaked" or "wrong" with the problems.
    """

    came_to: str
    problems: tuple[str, ...] = ()


def judge(blows: Sequence[Blow], seen: Observed) -> list[Verdict]:
    """Judge what was seen of an attempt, for each fault in it; what is wrong with the run is wrong with all of them."""
    if seen.left:
        return [Verdict("leaked", seen.left)] * len(blows)
    run = Run(seen.status or 0, seen.report, seen.stderr)
    points = {point.name: point for point in run.points}
    of_run = [*_in_any_run(blows[0][0], seen)]
    ended = blows[0][0].ends_with is not None and bool(seen.struck)
    if not ended:
        healthy = [name for name in seen.names if HEALTHY_NAME in name]
        of_run += [f"'{name}' did not pass" for name in healthy if name not in points or not points[name].ok]
        of_run += [] if healthy else ["no case began"]
    struck = [name for name in seen.names if HEALTHY_NAME not in name] or [""] * len(blows)
    return [_judged(blow, seen, name, points.get(name), of_run) for blow, name in zip(blows, struck, strict=True)]


def _judged(blow: Blow, seen: Observed, name: str, point: TapPoint | None, of_run: list[str]) -> Verdict:
    kind, target = blow
    hit = name in seen.struck
    problems = [*of_run]
    if hit and kind.ends_with is not None:
        problems += _ended_by(kind, seen, point)
    elif hit:
        problems += _of_case(kind, target, point)
    elif point is None or not point.ok:
        problems.append(f"failed without having been hit: {_said(point)[:300]!r}")
    if problems:
        return Verdict("wrong", tuple(problems))
    return Verdict("nothing to hit" if not hit else "harmless" if point and point.ok else "noticed")


def _in_any_run(kind: Kind, seen: Observed) -> Iterator[str]:
    if seen.status is None:
        yield "it did not end"
    if re.search("internal error|Traceback|Error in sys|bug of run-scenarios", seen.report + seen.stderr):
        yield "a bug of ours"
    if seen.peak > MOST_MEMORY:
        yield f"took {seen.peak >> 20} MiB of memory"
    if seen.kept > MOST_KEPT * max(1, len(seen.struck)):
        yield f"kept {seen.kept >> 20} MiB"
    if kind.name not in ("runner-killed", "report-unwritable"):
        yield from lint(seen.report)
    elif seen.report and not re.match(r"TAP version 13\n1\.\.2\n", seen.report):
        yield "no plan"


def _ended_by(kind: Kind, seen: Observed, struck: TapPoint | None) -> Iterator[str]:
    """A signal to the runner as the last step of the last case begins may come too late to be heeded."""
    if seen.status == kind.ends_with:
        return
    if seen.status != 0 or struck is None or not struck.ok:
        yield f"status {seen.status} instead of {kind.ends_with}"


def _of_case(kind: Kind, target: Target, struck: TapPoint | None) -> Iterator[str]:
    if struck is None:
        yield "no point"
    elif struck.ok:
        if not kind.may_pass and not target.soon_kills:
            yield "passed all the same"
    else:
        text = _said(struck)
        # Nobody sees what befell a QEMU that is killed next; but we have left that case little time for the rest.
        cause = f"{kind.cause}|{TIMED_OUT}" if target.soon_kills and kind.hangs else kind.cause
        if not re.search(cause, text):
            yield f"the cause is not named: {text[:300]!r}"


def _said(point: TapPoint | None) -> str:
    return "\n".join(str(point.block.get(key, "")) for key in TELLING) if point else "no point"
