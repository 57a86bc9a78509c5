"""Exceptions that the package raises on purpose."""

from __future__ import annotations

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.source import Span


class RunnerError(Exception):
    """Root of every error this package raises on purpose."""


class ScenarioError(RunnerError):
    """A scenario file is wrong: the author must change it.

    :param diagnostics: everything found, at least one.
    """

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        return "\n".join(diagnostic.render() for diagnostic in self.diagnostics)


class SetupError(RunnerError):
    """The run cannot start or go on for a reason outside every scenario: no QEMU, no space."""


class UsageError(SetupError):
    """The run cannot start, for the command line asks for what there is not."""


def describe_os_error(error: OSError) -> str:
    """Return what the operating system refused, in words: "No space left on device: report.tap"."""
    return f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")


def scenario_error(span: Span, message: str, hint: str = "", code: str = "") -> ScenarioError:
    """Return the error for one wrong place in a scenario."""
    return ScenarioError(Diagnostic(span, message, hint, code=code))


class StepFailed(RunnerError):
    """A step did not do what the scenario says it does.

    :param span: the exact place in the scenario, where it is narrower than the step.
    :param wanted: what was expected, as JSON or words; "" where that says nothing.
    :param found: what there was instead.
    :param path: where in the value that was looked at that was, "" if it was all of it.
    :param details: further differences, a line each.
    """

    def __init__(
        self,
        message: str,
        *,
        span: Span | None = None,
        hint: str = "",
        wanted: str = "",
        found: str = "",
        path: str = "",
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.hint = hint
        self.wanted = wanted
        self.found = found
        self.path = path
        self.details = details


class CommandFailed(StepFailed):
    """QEMU or a tool refused what it was asked; the modifier `error` matches against `reply`.

    :param reply: for QMP `{"class": str, "desc": str}`; for a tool `{"status": int, "stdout": str, "stderr": str}`.
    """

    def __init__(self, message: str, reply: dict[str, object], *, span: Span | None = None, hint: str = "") -> None:
        super().__init__(message, span=span, hint=hint)
        self.reply = reply


class MachineDied(StepFailed):
    """QEMU ended, or stopped speaking QMP, although no step asked it to.

    :param status: its exit status, minus the signal's number if one killed it; None if it runs on.
    """

    def __init__(self, message: str, status: int | None, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class MachineEnded(StepFailed):
    """A step needs a QEMU that has ended as the scenario asked it to."""


class EvaluationError(ScenarioError):
    """An expression cannot be evaluated; at run time, because of a value that QEMU or a tool returned."""


class TimeLimitExceeded(RunnerError):
    """Work took longer than its limit of `limit_s` seconds."""

    def __init__(self, message: str, limit_s: float) -> None:
        super().__init__(message)
        self.limit_s = limit_s
