"""One case: run its steps, bound their time, clean up after it. Imports plan and below."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from signal import SIGTERM
from typing import Any, TypeVar

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.errors import CommandFailed, MachineDied, ScenarioError, SetupError, StepFailed
from run_scenarios.core.events import Emit, Failure, Outcome, Result, StepFinished, StepStarted
from run_scenarios.core.exit_status import signal_name
from run_scenarios.core.nodes import JsonValue, to_json
from run_scenarios.core.source import Span
from run_scenarios.execution.debugger import Debugger
from run_scenarios.execution.failure import (
    RunningStep,
    StepTimedOut,
    check_expected_error,
    classify_outcome,
    describe_failure,
    literal_text,
    make_fail_record,
    make_step_record,
    unexpected_success_error,
)
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.machine import Machine
from run_scenarios.qemu.process import Child, ChildProcesses, CompletedTool
from run_scenarios.qemu.programs import Programs
from run_scenarios.qemu.trace import Trace
from run_scenarios.qemu.workspace import CaseDirectories, Workspace
from run_scenarios.scenario.binding import bind_modifier, bind_step
from run_scenarios.scenario.case import Task
from run_scenarios.scenario.confinement import link_outside
from run_scenarios.steps.argument_types import parse_seconds
from run_scenarios.steps.scope import Block, Scope
from run_scenarios.steps.verb import DEFAULT_VM, ControlFlowVerb, Step
from run_scenarios.syntax.matchers import require_match

STEP_TIMEOUT_S = 60.0
CASE_TIMEOUT_S = 180.0
T = TypeVar("T")
# A wrapper script may turn the signal into a status.
ENDS_WHEN_ASKED = (0, -SIGTERM, 128 + SIGTERM)


@dataclass(frozen=True)
class Settings:
    """What every case of a run shares.

    :param records_traffic: whether the events of steps are to hold their QMP messages and tools.
    :param pauses: when to wait for a person, None if none is there.
    """

    workspace: Workspace
    guardian: Guardian
    jobs: int = 1
    records_traffic: bool = False
    pauses: Debugger | None = None


@dataclass
class _StepContext:
    """What one running step may use; see `run_scenarios.steps.verb.Context`."""

    run: CaseRunner
    scope: Scope
    body: tuple[Step, ...]
    vm_name: str
    directory: Path
    logs: Path
    machines: dict[str, Machine]
    servers: dict[str, Child]
    programs: Programs
    processes: ChildProcesses
    trace: Trace
    pauses: bool

    def describe_wait(self, what: str) -> None:
        self.run.waiting_for = what

    async def run_tool(self, tool: str, *arguments: str) -> CompletedTool:
        self.describe_wait(f"{tool} {' '.join(arguments[:1])}")
        return await self.processes.run([self.programs[tool], *arguments])

    async def run_block(self, block: Block) -> None:
        await self.run.block(block)


@dataclass
class CaseRunner:
    """One case on its way from the first step to the last process gone.

    :param unmet: says why the case is to be skipped, "" if it is not.
    """

    task: Task
    settings: Settings
    emit: Emit
    unmet: Callable[[Task], Awaitable[str]]
    waiting_for: str = "nothing yet"
    began: float = field(default_factory=time.monotonic)
    number: int = 0
    stack: tuple[Span, ...] = ()
    current: RunningStep | None = None
    blame: RunningStep | None = None
    machines: dict[str, Machine] = field(default_factory=dict)
    servers: dict[str, Child] = field(default_factory=dict)
    trace: Trace | None = None
    deadlines: list[asyncio.Timeout] = field(default_factory=list)

    async def result(self) -> Result:
        """Run the case and clean up after it; whatever happens ends as a result."""
        try:
            reason = await self.unmet(self.task)
            if reason:
                return Result(Outcome.SKIPPED, note=reason)
            directories = self.settings.workspace.create(self.task.index)
        except Exception as error:
            return self._broken(error)
        return await self._in_directories(directories)

    def interrupted(self, reason: str) -> Result:
        """Return the result of a case that is stopped now."""
        where = f", waiting for {self.waiting_for}" if self.current else ""
        self.blame = self.current
        failure = self._failure(StepFailed(f"{reason}{where}"), None)
        return Result(Outcome.INTERRUPTED, self._duration(), failure)

    async def block(self, block: Block) -> None:
        """Run the steps of a block in order."""
        for step in block.steps:
            await self._step(step, block.scope)

    async def _in_directories(self, directories: CaseDirectories) -> Result:
        result = Result(Outcome.INTERRUPTED)
        try:
            result = await self._traced(directories)
        except Exception as error:
            result = self._broken(error)
        finally:
            # Removing files takes the file system's time, which the other cases need not wait for.
            result = await _to_the_end(asyncio.to_thread(self._leave, directories, result))
        return result

    async def _traced(self, directories: CaseDirectories) -> Result:
        with closing(self._new_trace(directories)) as trace:
            self.trace, self.directories = trace, directories
            self.processes = ChildProcesses(directories.work, trace, self.settings.guardian)
            try:
                result = self._conclude(*await self._attempt())
                if result.failure and self._keeps(result) and result.outcome is not Outcome.UNEXPECTED_PASS:
                    result = await self._look_back(result)
            finally:
                await _to_the_end(self._clean_up())
            if not self._keeps(result):
                trace.discard()
        if trace.problem and not result.failure:
            return self._broken(SetupError(trace.problem))
        return result

    def _new_trace(self, directories: CaseDirectories) -> Trace:
        return Trace(directories.logs / "trace.jsonl", self.began, record_step_traffic=self.settings.records_traffic)

    def _keeps(self, result: Result) -> bool:
        """What was changed so as to fail leaves nothing to look at."""
        was_changed = bool(self.task.case.file.changes)
        return not was_changed and self.settings.workspace.must_keep(failed=_has_failed(result))

    async def _look_back(self, result: Result) -> Result:
        """Have what can still be asked and looked at kept; whatever goes wrong in that changes no result."""
        from run_scenarios.execution.postmortem import inspect_images, query_vms

        assert self.trace
        self.trace.record("fail", None, make_fail_record(result))
        directories = self.directories
        with suppress(Exception):
            await query_vms(self.machines.values())
            await inspect_images(directories.work, directories.logs, self.task.programs, self.processes)
        pauses, failure = self.settings.pauses, result.failure
        if not (pauses and pauses.on_failure and failure):
            return result
        machines = self.machines.values()
        seconds = await self._pause(pauses.after_failure(self.task.point.name, failure, machines, directories.work))
        details = (*failure.details, f"its VMs stayed up for {seconds:.1f} s, and may have been talked to")
        return replace(result, failure=replace(failure, details=details))

    async def _pause_before(self, step: Step, scope: Scope, pauses: Debugger) -> None:
        assert self.current
        with suppress(ScenarioError):
            self.current.argument = bind_step(step, scope).argument
        await self._pause(pauses.before_step(self.current, self.machines.values(), self.directories.work))

    async def _pause(self, wait: Coroutine[Any, Any, None]) -> float:
        """Wait for a person, which no deadline takes for slowness, and return how many seconds that took."""
        self.waiting_for = "somebody to press Enter"
        began, deadlines = time.monotonic(), {each: each.when() for each in self.deadlines}
        for deadline in deadlines:
            deadline.reschedule(None)
        await wait
        paused = time.monotonic() - began
        for deadline, when in deadlines.items():
            deadline.reschedule(None if when is None else when + paused)
        assert self.trace
        self.trace.record("paused", None, round(paused, 3))
        return paused

    def _leave(self, directories: CaseDirectories, result: Result) -> Result:
        if not self._keeps(result):
            self.settings.workspace.discard(directories)
            return result
        from run_scenarios.execution.postmortem import write_postmortem

        with suppress(Exception):
            write_postmortem(directories.logs, self.task, result)
        try:
            kept = self.settings.workspace.finish(directories, self.task.point.name, failed=_has_failed(result))
        except SetupError as error:
            return self._broken(error)
        return replace(result, artifacts=kept)

    async def _attempt(self) -> tuple[Outcome, Failure | None]:
        try:
            await self._within(self.task.case.load_timeout_s() or CASE_TIMEOUT_S, self._whole(), "the case timed out")
        except StepTimedOut as error:
            return await self._seen_with_deaths(Outcome.TIMED_OUT, self._failure(error, error.args[1]))
        except MachineDied as error:
            return Outcome.CRASHED, self._failure(error, None)
        except Exception as error:
            return await self._seen_with_deaths(classify_outcome(error), self._failure(error, None))
        return Outcome.PASSED, None

    async def _whole(self) -> None:
        scenario = self.task.case.load()
        await self.block(Block(scenario.steps, self.task.case.make_scope(scenario.procedures)))
        await self._check_machines()
        await self._end_politely()

    async def _seen_with_deaths(self, outcome: Outcome, failure: Failure) -> tuple[Outcome, Failure]:
        """Add to a failure the VMs that died while no step looked: they may be the reason for it."""
        deaths = [await machine.exit_error() for machine in self.machines.values() if machine.is_lost]
        for death in deaths:
            if isinstance(death, MachineDied):
                signal = failure.signal or signal_name(death.status or 0)
                failure = replace(failure, details=(*failure.details, death.message), signal=signal)
                outcome = Outcome.CRASHED
        return outcome, failure

    async def _end_politely(self) -> None:
        """A QEMU that crashes once it is asked to end, or does not end, has failed all the same."""
        assert self.trace
        self.trace.record("end", None, "SIGTERM")
        self.waiting_for = f"{' and '.join(self.processes.running)} to end after SIGTERM"
        await self._within(STEP_TIMEOUT_S, self.processes.terminate_all())
        for machine in self.machines.values():
            if machine.exitcode not in ENDS_WHEN_ASKED and not machine.exit_expected:
                raise await machine.exit_error()

    async def _check_machines(self) -> None:
        """A QEMU that died, or hung up, while no step looked has failed all the same."""
        for machine in self.machines.values():
            if machine.is_lost or machine.has_crashed:
                raise await machine.exit_error()

    async def _step(self, step: Step, scope: Scope) -> None:
        self.number += 1
        index, number, began, previous = self.task.index, self.number, time.monotonic(), self.current
        # What failed before is forgotten: 'eventually' tries again.
        self.current, self.blame = RunningStep(step, number, self.stack, None, step.span), None
        assert self.trace
        self.emit(StepStarted(index, number, step.verb.NAME, step.span, literal_text(step.name), len(self.stack)))
        self.trace.begin_step(partial(make_step_record, self.current))
        if self.settings.pauses and self.settings.pauses.each_step:
            await self._pause_before(step, scope, self.settings.pauses)
            began = time.monotonic()
        passed = ran = False
        try:
            ran = await self._run_step(step, scope)
            passed = True
        except BaseException:
            self.blame = self.blame or self.current
            raise
        finally:
            took = time.monotonic() - began
            traffic, untold = self.trace.end_step()
            at = began - self.began
            skipped, verb = passed and not ran, step.verb.NAME
            self.emit(StepFinished(index, number, verb, step.span, passed, at, took, traffic, untold, skipped))
        self.current, self.blame = previous, None

    async def _run_step(self, step: Step, scope: Scope) -> bool:
        """Run a step, and tell whether its `when` let it run."""
        when = bind_modifier(step, "when", scope)
        if when is not None and to_json(when) is not True:
            return False
        result = await self._within(self._limit(step, scope), self._perform(step, scope))
        if step.save:
            scope.set(step.save, result)
        return True

    async def _within(self, limit: float | None, work: Coroutine[Any, Any, T], late: str = "timed out") -> T:
        """Return what comes of work; pauses do not count.

        :raise StepTimedOut: if that takes longer than `limit` seconds.
        """
        if limit is None:
            return await work
        try:
            async with asyncio.timeout(limit) as deadline:
                self.deadlines.append(deadline)
                try:
                    return await work
                finally:
                    self.deadlines.remove(deadline)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise StepTimedOut(f"{late} after {limit:g} s, waiting for {self.waiting_for}", limit) from None

    def _limit(self, step: Step, scope: Scope) -> float | None:
        node = bind_modifier(step, "timeout", scope)
        if node is not None:
            return parse_seconds(node)
        return None if issubclass(step.verb, ControlFlowVerb) else STEP_TIMEOUT_S

    async def _perform(self, step: Step, scope: Scope) -> JsonValue:
        bound = bind_step(step, scope)
        assert bound.verb and self.current
        self.waiting_for = f"'{step.verb.NAME}'"
        self.current.argument = bound.argument
        error, expect = bind_modifier(step, "error", scope), bind_modifier(step, "expect", scope)
        self._refuse_links(step)
        try:
            with self._nested(step):
                result = await bound.verb.run(self._context(step, scope))
        except CommandFailed as failed:
            return check_expected_error(failed, error)
        if error is not None:
            raise unexpected_success_error(step.verb.NAME, result, error)
        if expect is not None:
            require_match(expect, result, f"the result of '{step.verb.NAME}'")
        return result

    def _refuse_links(self, step: Step) -> None:
        """Refuse to go on in a directory from which something that ran there has made a way out."""
        if not (step.confined and step.verb.OPENS_FILES):
            return
        link = link_outside(self.directories.work)
        if link:
            raise StepFailed(f"'{link}' is a link out of the case's directory", hint="a program made it")

    @contextmanager
    def _nested(self, step: Step) -> Iterator[None]:
        """Have the steps within this one, if it runs any, say that it led to them."""
        outer = self.stack
        if issubclass(step.verb, ControlFlowVerb):
            self.stack = (*outer, step.span)
        try:
            yield
        finally:
            self.stack = outer

    def _context(self, step: Step, scope: Scope) -> _StepContext:
        vm = bind_modifier(step, "vm", scope)
        assert self.trace
        return _StepContext(
            run=self,
            scope=scope,
            body=step.body,
            vm_name=str(to_json(vm)) if vm else DEFAULT_VM,
            directory=self.directories.work,
            logs=self.directories.logs,
            machines=self.machines,
            servers=self.servers,
            programs=self.task.programs,
            processes=self.processes,
            trace=self.trace,
            pauses=self.settings.pauses is not None,
        )

    async def _clean_up(self) -> None:
        await self.processes.kill_all()
        for machine in self.machines.values():
            await machine.disconnect()

    def _broken(self, error: Exception) -> Result:
        return Result(Outcome.BROKEN, self._duration(), self._failure(error, None))

    def _failure(self, error: BaseException, limit: float | None) -> Failure:
        return describe_failure(
            error,
            self.blame or RunningStep(None, 0, (), None, self.task.case.load().span),
            traffic=self.trace.last_messages() if self.trace else (),
            stderr_tail=next((tail for machine in self.machines.values() if (tail := machine.stderr_tail())), ""),
            limit_s=limit,
        )

    def _conclude(self, outcome: Outcome, failure: Failure | None) -> Result:
        known = self.task.case.load().expected_failure
        if known and outcome in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED):
            return Result(Outcome.KNOWN_FAILURE, self._duration(), failure, note=known)
        if known and outcome is Outcome.PASSED:
            text = "passed, though it is known to fail"
            diagnostic = Diagnostic(self.task.case.load().span, text, "remove 'expected-failure'")
            return Result(Outcome.UNEXPECTED_PASS, self._duration(), Failure(diagnostic))
        return Result(outcome, self._duration(), failure)

    def _duration(self) -> float:
        return time.monotonic() - self.began


def _has_failed(result: Result) -> bool:
    return result.outcome.is_failure and result.outcome is not Outcome.INTERRUPTED


async def _to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Wait for work that must not be left half done, even if the waiting is cancelled."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
