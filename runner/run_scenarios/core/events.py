"""Outcomes, results, and the events of a run.

Reports are made from events alone, so a case can run in this process, in a worker or on another machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.source import Span


class Outcome(Enum):
    """How a case ended: the `reason` in reports, whether it is a failure, and the exit status that it causes."""

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

    @property
    def category(self) -> str:
        """The group that summaries count it in, one of `CATEGORIES`."""
        return "failed" if self.is_failure else "known to fail" if self is Outcome.KNOWN_FAILURE else self.reason


CATEGORIES = ("passed", "skipped", "known to fail", "failed")


@dataclass(frozen=True)
class Failure:
    """Why a case did not pass.

    :param path: the path of `found` within the examined value, "" for the whole value.
    :param difference: as in `StepFailed`.
    :param step: the number of the failed step in the order of execution, from 1; 0 before the first step.
    :param verb: the failed step's verb.
    :param name: the name of the step in the scenario, "" if it has none.
    :param step_span: the position of the failed step, None before the first.
    :param stack: the positions of the enclosing calls, outermost first.
    :param rendered: the step as it ran, as JSON.
    :param traffic: the last QMP messages and commands, oldest first.
    :param stderr_tail: the end of the standard error of the VM or server `stderr_vm`.
    :param crashed_program: the first VM or server that is known to have crashed, "" if none has.
    :param signal: the signal that killed QEMU, a server or a tool, "" if none did.
    """

    diagnostic: Diagnostic
    wanted: str = ""
    found: str = ""
    path: str = ""
    details: tuple[str, ...] = ()
    difference: dict[str, Any] | None = None
    step: int = 0
    verb: str = ""
    name: str = ""
    stack: tuple[Span, ...] = ()
    rendered: str = ""
    traffic: tuple[str, ...] = ()
    stderr_vm: str = ""
    stderr_tail: str = ""
    crashed_program: str = ""
    signal: str = ""
    timeout_ms: int | None = None
    step_span: Span | None = None


@dataclass(frozen=True)
class Result:
    """The result of one case.

    :param artifacts: the directory with its artifacts, "" if none were kept.
    :param note: why it was skipped, or why it is known to fail.
    """

    outcome: Outcome
    duration_s: float = 0.0
    failure: Failure | None = None
    artifacts: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class TestPoint:
    """One entry of the plan: a case, or a file that cannot run.

    :param name: unique in the run, and the same in every run from the same directory.
    :param case: the name without the round; all rounds of a case share it.
    :param path: the scenario file.
    :param rerun: the command that runs it again, or "".
    :param build: the label of the QEMU build, as in `name`; "" if there is only one build.
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
    """Errors and warnings about the scenario files, found before the run."""

    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True)
class Notice:
    """A message for the user that does not affect any result."""

    text: str


@dataclass(frozen=True)
class NothingToRun:
    """No case was found or selected."""

    reason: str
    allowed: bool


@dataclass(frozen=True)
class RunStarted:
    """The plan is complete, and the run begins.

    :param workers: the number of cases that run at the same time.
    :param qemus: the builds under test, if their versions are known: "QEMU 10.0.2".
    :param began: the time in UTC, as ISO 8601: "2026-01-31T12:00:00+00:00".
    :param command: the command line, quoted for a shell.
    """

    points: tuple[TestPoint, ...]
    workers: int = 1
    qemus: tuple[str, ...] = ()
    began: str = ""
    command: str = ""


@dataclass(frozen=True)
class CaseStarted:
    """A case begins; `index` is its position in the plan, from 0.

    :param worker: the number of the worker that runs it, from 0.
    :param at_s: seconds since the run began.
    """

    index: int
    worker: int = 0
    at_s: float = 0.0


@unchecked_frozen
class StepStarted:
    """A step begins.

    :param number: its position in the order of execution, from 1.
    :param name: its name in the scenario, "" if it has none.
    :param depth: the number of enclosing blocks and calls.
    """

    index: int
    number: int
    verb: str
    span: Span
    name: str = ""
    depth: int = 0


@dataclass(frozen=True, slots=True)
class TrafficEntry:
    """A QMP message, the start of a program, or its exit.

    :param at_s: seconds since the case began.
    :param vm: the VM, "" for a tool.
    :param kind: "send", "recv", "exec" or "exit", as in a trace.
    :param text: the message as JSON, the command line, or the exit status; cut to a readable length.
    """

    at_s: float
    vm: str
    kind: str
    text: str


@unchecked_frozen
class StepFinished:
    """A step has passed, failed or been skipped; nested steps end before the step that contains them.

    :param number: as in its `StepStarted`.
    :param began_s: seconds since the case began.
    :param traffic: the messages and tools of this step, oldest first, without those of nested steps; empty unless a
        report needs them.
    :param omitted: the number of further entries that are not in `traffic`.
    :param skipped: whether its `when` was false.
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
    """A case has finished."""

    index: int
    result: Result


@dataclass(frozen=True)
class MutantFinished:
    """`--audit` has a verdict on a mutant.

    :param index: the position of the file in the plan.
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
    """The run was stopped early: "interrupted by SIGTERM"."""

    reason: str


@dataclass(frozen=True)
class RunAborted:
    """The run cannot start or continue, for a reason outside the cases; unfinished cases have no result."""

    reason: str


@dataclass(frozen=True)
class RunFinished:
    """Every entry of the plan has a result."""

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
