"""What came of an attempt: whether the fault was noticed, and whether what must hold of every run held."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.attempt import HEALTHY_NAME, Observed, Target
from tests.faults.kinds import Kind
from tests.report.taplint import lint
from tests.support import Run, TapPoint

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


def judge(kind: Kind, target: Target, seen: Observed) -> Verdict:
    """Judge what was seen of an attempt."""
    if seen.left:
        return Verdict("leaked", seen.left)
    run = Run(seen.status or 0, seen.report, seen.stderr)
    struck, beside = _points(run)
    passed = struck is not None and struck.ok
    problems = [*_in_any_run(kind, seen)]
    if kind.ends_with is not None and seen.hit:
        problems += _ended_by(kind, seen, struck)
    else:
        problems += [] if beside and beside.ok else ["the case beside did not pass"]
        problems += [] if not seen.hit else _of_case(kind, target, struck)
    if problems:
        return Verdict("wrong", tuple(problems))
    return Verdict("nothing to hit" if not seen.hit else "harmless" if passed else "noticed")


def _points(run: Run) -> tuple[TapPoint | None, TapPoint | None]:
    """Return the point of the case that was struck, and that of the healthy one beside it."""
    healthy = HEALTHY_NAME.removesuffix(".yaml")
    struck = (point for point in run.points if not point.name.endswith(healthy))
    beside = (point for point in run.points if point.name.endswith(healthy))
    return next(struck, None), next(beside, None)


def _in_any_run(kind: Kind, seen: Observed) -> Iterator[str]:
    if seen.status is None:
        yield "it did not end"
    if re.search("internal error|Traceback|Error in sys|bug of run-scenarios", seen.report + seen.stderr):
        yield "a bug of ours"
    if seen.peak > MOST_MEMORY:
        yield f"took {seen.peak >> 20} MiB of memory"
    if seen.kept > MOST_KEPT:
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
        text = "\n".join(str(struck.block.get(key, "")) for key in TELLING)
        if not re.search(kind.cause, text):
            yield f"the cause is not named: {text[:300]!r}"
