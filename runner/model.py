"""What a run reports: outcomes, results, and the events they travel in. Imports errors only.

Every report is made from these, so a case can run here, in a worker or on another machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from runner.errors import Diagnostic, Span


class Outcome(Enum):
    """How a case ended: the `reason` in reports, whether it counts as a failure, and the exit status it leads to."""

    PASSED = ("passed", False, 0)
    SKIPPED = ("skipped", False, 0)
    KNOWN_FAILURE = ("known-failure", False, 0)
    FAILED = ("assertion", True, 1)
    TIMED_OUT = ("timeout", True, 1)
    CRASHED = ("qemu-crash", True, 1)
    UNEXPECTED_PASS = ("unexpected-pass", True, 1)
    INTERRUPTED = ("interrupted", True, 1)
    INVALID = ("invalid-scenario", True, 2)
    BROKEN = ("infrastructure", True, 3)

    def __init__(self, reason: str, is_failure: bool, exit_status: int) -> None:
        self.reason = reason
        self.is_failure = is_failure
        self.exit_status = exit_status


@dataclass(frozen=True)
class Failure:
    """Why a case did not pass.

    :param step: the failed step's number in the order of running, from 1; 0 before the first.
    :param verb: the failed step's verb.
    :param name: what the scenario calls the step, "" if it has no name.
    :param stack: the calls that led to the step, outermost first.
    :param rendered: the step as it ran, as JSON.
    :param traffic: the last QMP messages and tools, oldest first.
    :param signal: what killed QEMU, "" if nothing did.
    """

    diagnostic: Diagnostic
    wanted: str = ""
    found: str = ""
    details: tuple[str, ...] = ()
    step: int = 0
    verb: str = ""
    name: str = ""
    stack: tuple[Span, ...] = ()
    rendered: str = ""
    traffic: tuple[str, ...] = ()
    stderr_tail: str = ""
    signal: str = ""
    timeout_ms: int | None = None


@dataclass(frozen=True)
class Result:
    """How one case ended.

    :param artifacts: the directory that was kept, "" if none was.
    :param note: why it was skipped, or is known to fail.
    """

    outcome: Outcome
    duration_s: float = 0.0
    failure: Failure | None = None
    artifacts: str = ""
    note: str = ""


@dataclass(frozen=True)
class Point:
    """One line of the plan: a case, or a file that cannot be run.

    :param name: unique in the run, and the same in every run from the same directory.
    :param path: the scenario file.
    :param rerun: the command that runs it again, "" if there is none.
    """

    name: str
    path: str
    title: str = ""
    rerun: str = ""
    tags: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class RunStarted:
    """The plan is made."""

    points: tuple[Point, ...]


@dataclass(frozen=True)
class CaseStarted:
    """A case begins to run; `index` counts from 0 in the order of the plan."""

    index: int


@dataclass(frozen=True)
class StepFinished:
    """A step has ended, well or not; steps within a block end before the step that holds the block."""

    index: int
    verb: str
    span: Span
    passed: bool
    duration_s: float


@dataclass(frozen=True)
class CaseFinished:
    """A case has ended."""

    index: int
    result: Result


@dataclass(frozen=True)
class RunStopped:
    """The run ends before its plan is done: "interrupted by SIGTERM"."""

    reason: str


@dataclass(frozen=True)
class RunFinished:
    """Everything of the plan has been reported."""

    duration_s: float


Event = RunStarted | CaseStarted | StepFinished | CaseFinished | RunStopped | RunFinished
