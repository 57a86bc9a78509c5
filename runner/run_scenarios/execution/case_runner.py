"""Run one case: make its directories, run its steps, clean up, and keep what it leaves for debugging."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from run_scenarios.core.errors import MachineDied, SetupError, StepFailed
from run_scenarios.core.events import Emit, Failure, Outcome, Result
from run_scenarios.execution.debugger import Debugger
from run_scenarios.execution.failure import add_crashes, classify_outcome, conclude, describe_failure, make_fail_record
from run_scenarios.execution.step_runner import StepRunner
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.process import ChildProcesses
from run_scenarios.qemu.trace import Trace
from run_scenarios.qemu.workspace import CaseDirectories, Workspace
from run_scenarios.scenario.case import Task
from run_scenarios.steps.scope import Block

CASE_TIMEOUT_S = 180.0
T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """Settings that all cases of a run share.

    :param records_traffic: whether the events of steps hold their QMP messages and tools.
    :param debugger: pauses cases for a person, None without one.
    """

    workspace: Workspace
    guardian: Guardian
    jobs: int = 1
    records_traffic: bool = False
    debugger: Debugger | None = None


class CaseRunner:
    """Runs one case from its first step to the end of its last process.

    :param find_unmet: returns why the case is to be skipped, "" if it is not.
    """

    def __init__(
        self, task: Task, settings: Settings, emit: Emit, find_unmet: Callable[[Task], Awaitable[str]]
    ) -> None:
        self._task = task
        self._settings = settings
        self._emit = emit
        self._find_unmet = find_unmet
        self._began = time.monotonic()
        self._steps: StepRunner | None = None

    async def result(self) -> Result:
        """Run the case and clean up after it; every error becomes a result."""
        try:
            reason = await self._find_unmet(self._task)
            if reason:
                return Result(Outcome.SKIPPED, note=reason)
            directories = self._settings.workspace.create(self._task.index)
        except Exception as error:
            return self._infrastructure_error(error)
        return await self._run_in_directories(directories)

    def interrupted(self, reason: str) -> Result:
        """Return the result of a case that is being stopped."""
        steps = self._steps
        where = f", waiting for {steps.deadlines.waiting_for}" if steps and steps.running else ""
        return Result(Outcome.INTERRUPTED, self._duration(), self._describe(StepFailed(f"{reason}{where}")))

    async def _run_in_directories(self, directories: CaseDirectories) -> Result:
        result = Result(Outcome.INTERRUPTED)
        try:
            result = await self._run_with_trace(directories)
        except Exception as error:
            result = self._infrastructure_error(error)
        finally:
            # Removing files takes the file system's time; in a thread, other cases do not wait for it.
            result = await _finish(asyncio.to_thread(self._keep_or_discard, directories, result))
        return result

    async def _run_with_trace(self, directories: CaseDirectories) -> Result:
        settings = self._settings
        file = directories.logs / "trace.jsonl"
        with closing(Trace(file, self._began, record_step_traffic=settings.records_traffic)) as trace:
            processes = ChildProcesses(directories.work, trace, settings.guardian)
            steps = StepRunner(self._task, directories, trace, processes, self._emit, settings.debugger, self._began)
            self._steps = steps
            try:
                outcome, failure = await self._run_guarded(steps)
                duration_s = self._duration()
                if failure:
                    outcome, failure = await self._look_closer(steps, outcome, failure)
            finally:
                await _finish(steps.kill_everything())
            if failure:
                # A VM may have crashed since, before it was killed.
                outcome, failure = add_crashes(outcome, failure, await steps.find_crashes(), steps.choose_stderr())
            result = conclude(self._task, outcome, failure, duration_s)
            if not self._should_keep(result):
                trace.discard()
        if trace.problem and not result.failure:
            return self._infrastructure_error(SetupError(trace.problem))
        return result

    async def _run_guarded(self, steps: StepRunner) -> tuple[Outcome, Failure | None]:
        """Run the steps within the time limit of the case; every error becomes an outcome and a failure."""
        limit_s = self._task.case.load_timeout_s() or CASE_TIMEOUT_S
        try:
            await steps.deadlines.run_within(limit_s, self._run_steps_and_shutdown(steps), "the case timed out")
        except Exception as error:
            if isinstance(error, MachineDied):
                steps.note_crash(error)
            return classify_outcome(error), self._describe(error)
        return Outcome.PASSED, None

    async def _run_steps_and_shutdown(self, steps: StepRunner) -> None:
        scenario, instrument = self._task.case.load(), self._task.instrument
        if instrument:
            instrument.begin(steps.directories.work)
        await steps.run_block(Block(scenario.steps, self._task.case.make_scope(scenario.procedures)))
        await steps.check_programs()
        await steps.shut_down()
        if instrument:
            instrument.after_case(steps.disks)

    async def _look_closer(self, steps: StepRunner, outcome: Outcome, failure: Failure) -> tuple[Outcome, Failure]:
        """Look for crashed VMs, collect a postmortem, and pause if that is asked for."""
        outcome, failure = add_crashes(outcome, failure, await steps.find_crashes(), steps.choose_stderr())
        if self._is_mutant:
            return outcome, failure
        steps.trace.record("fail", None, make_fail_record(outcome, failure))
        with suppress(Exception):
            await self._collect_postmortem(steps, conclude(self._task, outcome, failure))
        debugger = self._settings.debugger
        if not (debugger and debugger.on_failure):
            return outcome, failure
        machines, name = steps.machines.values(), self._task.point.name
        outcome, failure = add_crashes(outcome, failure, await steps.find_crashes(), steps.choose_stderr())
        seconds = await steps.pause(debugger.after_failure(name, failure, machines, steps.directories.work))
        for machine in machines:
            # The person may have ended it.
            machine.exit_expected = True
        details = (*failure.details, f"its VMs stayed up for {seconds:.1f} s, and may have been talked to")
        return outcome, replace(failure, details=details)

    async def _collect_postmortem(self, steps: StepRunner, result: Result) -> None:
        """Query the VMs, which also shows whether they are still alive, and inspect the images if they are kept."""
        from run_scenarios.execution.postmortem import inspect_images, query_vms

        directories = steps.directories
        await query_vms(steps.machines.values())
        if self._should_keep(result):
            await inspect_images(directories.work, directories.logs, self._task.programs, steps.processes)

    def _should_keep(self, result: Result) -> bool:
        """Tell whether to keep logs and trace; never those of a mutant."""
        return not self._is_mutant and self._settings.workspace.must_keep(failed=_has_failed(result))

    def _keep_or_discard(self, directories: CaseDirectories, result: Result) -> Result:
        if not self._should_keep(result):
            self._settings.workspace.discard(directories)
            return result
        from run_scenarios.execution.postmortem import write_postmortem

        with suppress(Exception):
            write_postmortem(directories.logs, self._task, result)
        try:
            kept = self._settings.workspace.finish(directories, self._task.point.name, failed=_has_failed(result))
        except SetupError as error:
            return self._infrastructure_error(error)
        return replace(result, artifacts=kept)

    def _infrastructure_error(self, error: Exception) -> Result:
        return Result(Outcome.BROKEN, self._duration(), self._describe(error))

    def _describe(self, error: Exception) -> Failure:
        steps, scenario = self._steps, self._task.case.load().span
        if not steps:
            return describe_failure(error, None, scenario)
        running = steps.failed or steps.running
        failure = describe_failure(error, running, scenario)
        vm, stderr = steps.choose_stderr()
        return replace(
            failure,
            details=(*failure.details, *steps.describe_floods()),
            traffic=steps.trace.last_messages(),
            stderr_vm=vm,
            stderr_tail=stderr,
        )

    @property
    def _is_mutant(self) -> bool:
        """Whether `--audit` has changed the case."""
        return bool(self._task.case.file.changes)

    def _duration(self) -> float:
        return time.monotonic() - self._began


def _has_failed(result: Result) -> bool:
    return result.outcome.is_failure and result.outcome is not Outcome.INTERRUPTED


async def _finish(work: Coroutine[Any, Any, T]) -> T:
    """Wait for work that must not be left half done, even if the waiting is cancelled."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
