"""The exceptions of the package."""

from __future__ import annotations

from typing import Any

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.source import Span


class RunnerError(Exception):
    """Base class of the exceptions of this package."""


class ScenarioError(RunnerError):
    """A scenario file is wrong and must be changed by its author.

    :param diagnostics: everything that is wrong, at least one.
    """

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        return "\n".join(diagnostic.render() for diagnostic in self.diagnostics)


class SetupError(RunnerError):
    """The run cannot start or continue for a reason outside the scenarios, such as a missing QEMU or a full disk."""


class UsageError(SetupError):
    """The command line asks for something that does not exist or is not possible."""


def describe_os_error(error: OSError) -> str:
    """Return an error of the operating system as text: "No space left on device: report.tap"."""
    return f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")


def scenario_error(span: Span, message: str, hint: str = "", code: str = "") -> ScenarioError:
    """Return the error for one position in a scenario."""
    return ScenarioError(Diagnostic(span, message, hint, code=code))


class StepFailed(RunnerError):
    """A step did not have the result that the scenario expects.

    :param span: the position in the scenario, if it is more precise than that of the step.
    :param wanted: the expected value, as JSON or text, or "".
    :param found: the actual value.
    :param path: the path of `found` within the whole value, "" for the whole value.
    :param details: further differences, one line each.
    :param difference: `{"expected": matcher, "found": value}` at that path, without `found` for a missing key;
        `{"error": matcher}` if the step had to fail and did not; None if neither says what is wrong.
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
        difference: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.hint = hint
        self.wanted = wanted
        self.found = found
        self.path = path
        self.details = details
        self.difference = difference


class CommandFailed(StepFailed):
    """QEMU or a tool reported an error; the modifier `error` is matched against `reply`.

    :param reply: for QMP `{"class": str, "desc": str}`; for a tool `{"status": int, "stdout": str, "stderr": str}`.
    """

    def __init__(
        self,
        message: str,
        reply: dict[str, object],
        *,
        span: Span | None = None,
        hint: str = "",
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, span=span, hint=hint, details=details)
        self.reply = reply

    @property
    def crash_status(self) -> int | None:
        """The status of a program that a signal killed, None for any other failure."""
        status = self.reply.get("status")
        return status if isinstance(status, int) and status < 0 else None


class MachineDied(StepFailed):
    """QEMU or a server exited, or QEMU closed its QMP connection, unexpectedly.

    :param program: the name of the VM or server.
    :param status: the exit status, negative for a signal; None if QEMU is still running.
    """

    def __init__(self, message: str, status: int | None, *, program: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.program = program
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
