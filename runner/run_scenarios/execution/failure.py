"""Why a case did not pass: an exception to its outcome and its story. Imports model, match, steps.base."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.errors import (
    CommandFailed,
    MachineDied,
    RunnerError,
    ScenarioError,
    StepFailed,
    describe_os_error,
)
from run_scenarios.core.events import Failure, Outcome, Result
from run_scenarios.core.exit_status import signal_name
from run_scenarios.core.nodes import JsonObject, JsonValue, Node, to_json, to_partial
from run_scenarios.core.source import Span
from run_scenarios.steps.verb import Step
from run_scenarios.syntax.matchers import describe_value, require_match


class StepTimedOut(RunnerError):
    """A step took longer than it may."""


@dataclass
class RunningStep:
    """The step that was running when a case failed, None before the first; `span` is where to point then.

    :param argument: the step's argument with its values in place, None before it had them.
    """

    step: Step | None
    number: int
    stack: tuple[Span, ...]
    argument: Node | None
    span: Span

    @property
    def verb(self) -> str:
        """The step's verb, "" where there is no step."""
        return self.step.verb.NAME if self.step else ""

    @property
    def rendered(self) -> str:
        """The step as it ran, as JSON; "" if it has not come to that."""
        return json.dumps({self.verb: to_partial(self.argument)}, default=str) if self.argument else ""


def describe_failure(
    error: BaseException, blame: RunningStep, *, traffic: tuple[str, ...], stderr_tail: str, limit_s: float | None
) -> Failure:
    """Return the story of a failure.

    :param limit_s: the seconds that were not enough, None if it was not for time.
    """
    step = blame.step
    status = error.status if isinstance(error, MachineDied) else None
    return Failure(
        _diagnostic_of(error, blame.span),
        wanted=getattr(error, "wanted", ""),
        found=getattr(error, "found", ""),
        path=getattr(error, "path", ""),
        details=getattr(error, "details", ()),
        step=blame.number,
        verb=blame.verb,
        name=literal_text(step.name) if step else "",
        stack=blame.stack,
        rendered=blame.rendered,
        traffic=traffic,
        stderr_tail=stderr_tail,
        signal=signal_name(status or 0),
        timeout_ms=int(limit_s * 1000) if limit_s else None,
        place=step.span if step else None,
    )


def check_expected_error(failed: CommandFailed, error: Node | None) -> JsonValue:
    """Return the reply of a command that failed as expected.

    :raise CommandFailed: if no failure was expected.
    :raise StepFailed: if another one was.
    """
    if error is None:
        raise failed
    reply: JsonValue = dict(failed.reply)  # type: ignore[arg-type]
    require_match(error, reply, f"{failed.message}; another error was expected")
    return reply


def unexpected_success_error(verb: str, result: JsonValue, error: Node) -> StepFailed:
    """Return the error for a step that must fail and did not."""
    return StepFailed(
        f"'{verb}' succeeded, though it must fail",
        span=error.span,
        wanted=json.dumps(to_json(error)),
        found=describe_value(result),
    )


def classify_outcome(error: Exception) -> Outcome:
    """Return the outcome that an exception means."""
    match error:
        case MachineDied():
            return Outcome.CRASHED
        case CommandFailed() if isinstance(status := error.reply.get("status"), int) and status < 0:
            return Outcome.CRASHED
        case StepFailed():
            return Outcome.FAILED
        case ScenarioError():
            return Outcome.INVALID
        case _:
            return Outcome.BROKEN


def make_step_record(blame: RunningStep) -> JsonObject:
    """Return what the trace says of a step that begins."""
    assert blame.step
    record: JsonObject = {"number": blame.number, "verb": blame.verb, "at": str(blame.span), "depth": len(blame.stack)}
    name, vm = literal_text(blame.step.name), literal_text(blame.step.modifiers.get("vm"))
    more: JsonObject = {"name": name, "save": blame.step.save, "vm": vm}
    return record | {key: value for key, value in more.items() if value}


def make_fail_record(result: Result) -> JsonObject:
    """Return what the trace says of a failure."""
    failure = result.failure
    assert failure
    record: JsonObject = {
        "reason": result.outcome.reason,
        "at": str(failure.diagnostic.span),
        "message": failure.diagnostic.message,
        "step": failure.step,
        "verb": failure.verb,
        "rendered": failure.rendered,
        "path": failure.path,
        "found": failure.found,
        "timeout_ms": failure.timeout_ms,
    }
    return {key: value for key, value in record.items() if value not in ("", None)}


def literal_text(name: Node | None) -> str:
    """Return what a scenario calls a step or its VM, "" if that is nothing or depends on a value."""
    return str(to_json(name)) if name is not None and not name.dynamic else ""


def _diagnostic_of(error: BaseException, span: Span) -> Diagnostic:
    match error:
        case StepFailed():
            return Diagnostic(error.span or span, error.message, error.hint.split("\n")[-1])
        case ScenarioError():
            return error.diagnostics[0]
        case StepTimedOut() | RunnerError():
            return Diagnostic(span, str(error.args[0]))
        case OSError():
            return Diagnostic(span, describe_os_error(error))
        case _:
            where = "".join(traceback.format_exception(error)[-3:])
            return Diagnostic(span, f"internal error, please report it: {where}")
