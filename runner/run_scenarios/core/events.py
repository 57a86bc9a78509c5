"""What a run reports: outcomes, results, and the events they travel in. Imports errors only.

Every report is made from these, so a case can run here, in a worker or on another machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.source import Span


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
    UNPROVEN = ("unproven-assertion", True, 1)
    INVALID = ("invalid-scenario", True, 2)
    BROKEN = ("infrastructure", True, 3)

    def __init__(self, reason: str, is_failure: bool, exit_status: int) -> None:
        self.reason = reason
        self.is_failure = is_failure
        self.exit_status = exit_status


@dataclass(frozen=True)
class Failure:
    """Why a case did not pass.

    :param path: where in the value that was looked at `found` was, "" if it was all of it.
    :param step: the failed step's number in the order of running, from 1; 0 before the first.
    :param verb: the failed step's verb.
    :param name: what the scenario calls the step, "" if it has no name.
    :param step_span: where the failed step is written, None before the first.
    :param stack: the calls that led to the step, outermost first.
    :param rendered: the step as it ran, as JSON.
    :param traffic: the last QMP messages and tools, oldest first.
    :param signal: what killed QEMU, "" if nothing did.
    """

    diagnostic: Diagnostic
    wanted: str = ""
    found: str = ""
    path: str = ""
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
    step_span: Span | None = None


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


@dataclass(frozen=True, slots=True)
class TestPoint:
    """One line of the plan: a case, or a file that cannot be run.

    :param name: unique in the run, and the same in every run from the same directory.
    :param case: the name without the round, which all rounds of a case share.
    :param path: the scenario file.
    :param rerun: the command that runs it again, "" if there is none.
    :param build: the build of QEMU that it runs on, as `name` has it; "" if there is one build only.
    """

    name: str
    path: str
    title: str = ""
    rerun: str = ""
    tags: tuple[str, ...] = field(default=())
    case: str = ""
    build: str = ""
    __test__: ClassVar[bool] = False  # pytest must not collect it.


@dataclass(frozen=True)
class DiagnosticsFound:
    """What is wrong with the files, or doubtful; known before the run."""

    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True)
class Notice:
    """Something that whoever watches should know, and that changes nothing."""

    text: str


@dataclass(frozen=True)
class NothingToRun:
    """No case was found or selected."""

    reason: str
    allowed: bool


@dataclass(frozen=True)
class RunStarted:
    """The plan is made.

    :param workers: how many cases run at a time.
    :param qemus: the builds under test, as far as they said what they are: "QEMU 10.0.2".
    :param began: when, in UTC, as ISO 8601: "2026-01-31T12:00:00+00:00".
    :param command: the command line, as a shell would take it.
    """

    points: tuple[TestPoint, ...]
    workers: int = 1
    qemus: tuple[str, ...] = ()
    began: str = ""
    command: str = ""


@dataclass(frozen=True)
class CaseStarted:
    """A case begins to run; `index` counts from 0 in the order of the plan.

    :param worker: which of those that run beside each other it is, from 0.
    :param at_s: seconds since the run began.
    """

    index: int
    worker: int = 0
    at_s: float = 0.0


@unchecked_frozen
class StepStarted:
    """A step begins.

    :param number: its place in the order of running, from 1.
    :param name: what the scenario calls it, "" if it has no name.
    :param depth: how many blocks and calls it is within.
    """

    index: int
    number: int
    verb: str
    span: Span
    name: str = ""
    depth: int = 0


@dataclass(frozen=True, slots=True)
class TrafficEntry:
    """A QMP message, a program that was started, or how one ended.

    :param at_s: seconds since the case began.
    :param vm: the VM, "" for a tool.
    :param kind: "send", "recv", "exec" or "exit", as in a trace.
    :param text: the message as JSON, the command as one would type it, or the exit status; cut to a readable length.
    """

    at_s: float
    vm: str
    kind: str
    text: str


@unchecked_frozen
class StepFinished:
    """A step has ended, well or not; steps within a block end before the step that holds the block.

    :param number: as in its `StepStarted`.
    :param began_s: seconds since the case began.
    :param traffic: the messages and tools of this step, oldest first, without those of steps within it; empty unless a
        report of the run wants them.
    :param omitted: how many more of them there were, which are not in `traffic`.
    :param skipped: whether its `when` said that it was not to be run.
    """

    index: int
    number: int
    verb: str
    span: Span
    passed: bool
    began_s: float
    duration_s: float
    traffic: tuple[TrafficEntry, ...] = ()
    omitted: int = 0
    skipped: bool = False


@dataclass(frozen=True)
class CaseFinished:
    """A case has ended."""

    index: int
    result: Result


@dataclass(frozen=True)
class MutantFinished:
    """`--audit` has a verdict on a mutant.

    :param index: the point that the file has in the plan.
    :param span: what was broken or dropped.
    :param change: "broken" or "dropped".
    :param verdict: "killed" if a case failed, else "survived", "not covered", "undecided", "suppressed" or "not run".
    :param reason: an explanation of the verdict, "" if it needs none.
    :param trials: the cases it was run in, by name, each with its outcome.
    """

    index: int
    span: Span
    change: str
    verdict: str
    reason: str = ""
    trials: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class RunStopped:
    """The run ends before its plan is done: "interrupted by SIGTERM"."""

    reason: str


@dataclass(frozen=True)
class RunAborted:
    """The run cannot start, or breaks off for a fault that is no case's; a case that has no result yet gets none."""

    reason: str


@dataclass(frozen=True)
class RunFinished:
    """Everything of the plan has been reported."""

    duration_s: float


RunEvent = (
    DiagnosticsFound
    | Notice
    | NothingToRun
    | RunStarted
    | CaseStarted
    | StepStarted
    | StepFinished
    | CaseFinished
    | MutantFinished
    | RunStopped
    | RunAborted
    | RunFinished
)
Emit = Callable[[RunEvent], None]
