"""Convert the exception that ended a case to an outcome and a failure."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.errors import (
    CommandFailed,
    MachineDied,
    RunnerError,
    ScenarioError,
    StepFailed,
    TimeLimitExceeded,
    describe_os_error,
)
from run_scenarios.core.events import Failure, Outcome, Result
from run_scenarios.core.exit_status import signal_name
from run_scenarios.core.nodes import JsonObject, JsonValue, MappingNode, Node, ScalarNode, to_json, to_partial
from run_scenarios.core.source import Span
from run_scenarios.qmp.requirements import is_in_range
from run_scenarios.scenario.case import Task
from run_scenarios.scenario.expected_failures import OUTCOMES, ExpectedFailure
from run_scenarios.steps.verb import Step
from run_scenarios.syntax.matchers import describe_value, find_mismatches, require_match

MAX_DIFFERENCE = 20_000
"""Characters of a difference in the trace."""


@dataclass
class RunningStep:
    """A step of a case while it runs.

    :param number: its place in the order of running, from 1.
    :param callers: the control-flow steps that led to it, outermost first.
    :param argument: its argument with all expressions evaluated, None before that.
    :param vm: the VM that it names, or the default one; "" before that is evaluated.
    """

    step: Step
    number: int
    callers: tuple[Span, ...]
    argument: Node | None = None
    vm: str = ""

    @property
    def verb(self) -> str:
        """The name of the step's verb."""
        return self.step.verb.NAME

    @property
    def rendered(self) -> str:
        """The step as it ran, as JSON; "" before its argument was evaluated."""
        return json.dumps({self.verb: to_partial(self.argument)}, default=str) if self.argument else ""


def describe_failure(error: BaseException, running: RunningStep | None, scenario: Span) -> Failure:
    """Convert an exception to the failure that reports show.

    :param running: the step that failed, None before the first.
    :param scenario: where to point if there is no such step.
    """
    failure = Failure(
        _make_diagnostic(error, running.step.span if running else scenario),
        wanted=getattr(error, "wanted", ""),
        found=getattr(error, "found", ""),
        path=getattr(error, "path", ""),
        details=getattr(error, "details", ()),
        difference=getattr(error, "difference", None),
        signal=signal_name(_exit_status(error) or 0),
        timeout_ms=int(error.limit_s * 1000) if isinstance(error, TimeLimitExceeded) else None,
    )
    if not running:
        return failure
    return replace(
        failure,
        step=running.number,
        verb=running.verb,
        name=literal_text(running.step.name),
        stack=running.callers,
        rendered=running.rendered,
        step_span=running.step.span,
    )


def add_crashes(
    outcome: Outcome, failure: Failure, crashes: Sequence[MachineDied], stderr: tuple[str, str]
) -> tuple[Outcome, Failure]:
    """Add to a failure the VMs and servers that crashed, before or after it: they may have caused it.

    :param stderr: a VM or server, and the end of what it wrote to stderr.
    """
    vm, tail = stderr
    failure = replace(failure, stderr_vm=vm, stderr_tail=tail)
    if not crashes:
        return outcome, failure
    known = (failure.diagnostic.message, *failure.details)
    added = tuple(crash.message for crash in crashes if crash.message not in known)
    return Outcome.CRASHED, replace(
        failure,
        details=(*failure.details, *added),
        signal=failure.signal or next(filter(None, (signal_name(crash.status or 0) for crash in crashes)), ""),
        crashed_program=crashes[0].program,
    )


def conclude(task: Task, outcome: Outcome, failure: Failure | None, duration_s: float = 0.0) -> Result:
    """Return the result of a case, with regard to the `expected-failure` of its scenario."""
    scenario = task.case.load()
    expected = [each for each in scenario.expected_failures if _applies(each, task)]
    if not expected or outcome not in (*OUTCOMES.values(), Outcome.PASSED):
        return Result(outcome, duration_s, failure)
    if not failure:
        text, hint = "passed, but is expected to fail", "remove 'expected-failure'"
        return Result(Outcome.UNEXPECTED_PASS, duration_s, Failure(Diagnostic(expected[0].span, text, hint)))
    differences = [_compare_failure(each, outcome, failure) for each in expected]
    for each, difference in zip(expected, differences, strict=True):
        if not difference:
            return Result(Outcome.KNOWN_FAILURE, duration_s, failure, note=each.because)
    return Result(outcome, duration_s, replace(failure, details=(*failure.details, *differences)))


def _applies(expected: ExpectedFailure, task: Task) -> bool:
    """Tell whether a failure is expected in this case, on this build of QEMU."""
    version = tuple(int(part) for part in task.programs.version.split(".") if part) if expected.qemu else ()
    if version and not is_in_range(expected.qemu, version):
        return False
    return expected.matrix is None or not find_mismatches(expected.matrix, task.case.dimensions)


def _compare_failure(expected: ExpectedFailure, outcome: Outcome, failure: Failure) -> str:
    """Return how a failure differs from an expected one, "" if it is that one."""
    is_step = expected.step in (None, failure.step if isinstance(expected.step, int) else failure.name)
    mismatches = find_mismatches(expected.message, failure.diagnostic.message) if expected.message else []
    if expected.outcome not in (None, outcome):
        difference = f"outcome: expected {expected.outcome.reason if expected.outcome else ''}, found {outcome.reason}"
    elif not is_step:
        found = failure.step if isinstance(expected.step, int) else f"'{failure.name}'"
        difference = f"step: expected {expected.step!r}, found {found}"
    elif mismatches:
        difference = f"message: {mismatches[0]}"
    else:
        return ""
    return f"this is not the expected failure ({expected.because}): {difference}"


def check_expected_error(failed: CommandFailed, error: Node | None) -> JsonValue:
    """Return the reply of a command that failed as `error` expects.

    :param error: a matcher for the reply, None if the command must succeed.
    :raise CommandFailed: if the command must succeed, or crashed and `error` does not have that very `status`.
    :raise StepFailed: if the reply does not match.
    """
    if error is None or (failed.crash_status is not None and not _has_status(error, failed.crash_status)):
        raise failed
    reply: JsonValue = dict(failed.reply)  # type: ignore[arg-type]
    require_match(error, reply, f"{failed.message}; another error was expected")
    return reply


def _has_status(error: Node, status: int) -> bool:
    expected = error.get("status") if isinstance(error, MappingNode) else None
    return isinstance(expected, ScalarNode) and expected.value == status


def _exit_status(error: BaseException) -> int | None:
    match error:
        case MachineDied():
            return error.status
        case CommandFailed():
            return error.crash_status
        case _:
            return None


def unexpected_success_error(verb: str, result: JsonValue, error: Node) -> StepFailed:
    """Return the error for a step that succeeded although it has `error`."""
    return StepFailed(
        f"'{verb}' succeeded, though it must fail",
        span=error.span,
        wanted=json.dumps(to_json(error)),
        found=describe_value(result),
        difference={"error": to_json(error)},
    )


def classify_outcome(error: Exception) -> Outcome:
    """Return the outcome that an exception leads to."""
    match error:
        case TimeLimitExceeded():
            return Outcome.TIMED_OUT
        case MachineDied():
            return Outcome.CRASHED
        case CommandFailed() if error.crash_status is not None:
            return Outcome.CRASHED
        case StepFailed():
            return Outcome.FAILED
        case ScenarioError():
            return Outcome.INVALID
        case _:
            return Outcome.BROKEN


def make_step_record(running: RunningStep) -> JsonObject:
    """Return the data of the trace's `step` record."""
    step = running.step
    record: JsonObject = {
        "number": running.number,
        "verb": running.verb,
        "at": str(step.span),
        "depth": len(running.callers),
    }
    more: JsonObject = {
        "name": literal_text(step.name),
        "save": step.save,
        "vm": literal_text(step.modifiers.get("vm")),
    }
    return record | {key: value for key, value in more.items() if value}


def make_fail_record(outcome: Outcome, failure: Failure) -> JsonObject:
    """Return the data of the trace's `fail` record."""
    record: JsonObject = {
        "reason": outcome.reason,
        "at": str(failure.diagnostic.span),
        "message": failure.diagnostic.message,
        "step": failure.step,
        "verb": failure.verb,
        "rendered": failure.rendered,
        "path": failure.path,
        "found": failure.found,
        "difference": failure.difference if len(json.dumps(failure.difference)) <= MAX_DIFFERENCE else None,
        "timeout_ms": failure.timeout_ms,
        "stderr": failure.diagnostic.hint if failure.verb == "launch" else "",
        "crashed_program": failure.crashed_program,
    }
    return {key: value for key, value in record.items() if value not in ("", None)}


def literal_text(node: Node | None) -> str:
    """Return the text of a node, "" if there is none or it has expressions."""
    return str(to_json(node)) if node is not None and not node.dynamic else ""


def _make_diagnostic(error: BaseException, span: Span) -> Diagnostic:
    match error:
        case StepFailed():
            return Diagnostic(error.span or span, error.message, error.hint.split("\n")[-1])
        case ScenarioError():
            return error.diagnostics[0]
        case RunnerError():
            return Diagnostic(span, str(error.args[0]))
        case OSError():
            return Diagnostic(span, describe_os_error(error))
        case _:
            where = "".join(traceback.format_exception(error)[-3:])
            return Diagnostic(span, f"internal error, please report it: {where}")
