"""Cases to results: run the steps, bound their time, clean up, tell what happens as events. Imports plan and below.

One asyncio loop runs several cases side by side; each has its own directory, processes and trace.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import (
    CommandFailed,
    Diagnostic,
    SetupError,
    Span,
    StepFailed,
)
from runner.guardian import Guardian
from runner.match import require_match
from runner.model import CaseFinished, CaseStarted, Event, Failure, Outcome, Result, RunStopped, StepFinished
from runner.nodes import JsonValue, to_json, to_partial
from runner.plan import Case, bind, modifier
from runner.process import Child, Completed, Processes
from runner.programs import Capabilities, Programs, ask_capabilities
from runner.qemu import Machine
from runner.requirements import unmet
from runner.steps.base import DEFAULT_VM, Block, FlowVerb, Scope, Step
from runner.steps.shapes import seconds_of
from runner.trace import Trace
from runner.verdict import Blame, StepTimedOut, expected_failure, failure_of, outcome_of
from runner.workdir import Directories, Workspace

STEP_TIMEOUT_S = 60.0
CASE_TIMEOUT_S = 180.0
Emit = Callable[[Event], None]


@dataclass(frozen=True)
class Settings:
    """What every case of a run shares."""

    programs: Programs
    workspace: Workspace
    guardian: Guardian
    jobs: int = 1


async def execute(cases: Sequence[tuple[int, Case]], settings: Settings, emit: Emit, stop: asyncio.Future[str]) -> None:
    """Run cases, `settings.jobs` at a time, in the order given.

    :param cases: each with its index in the plan, which events carry.
    :param emit: called with each event as it happens, in this thread.
    :param stop: once it has a result, the reason, what runs is reported as interrupted, before it is cleaned up.
    :raise SetupError: if QEMU cannot even be asked what it can do.
    """
    probe = _Probe(settings)
    running: dict[int, _CaseRun] = {}
    waiting = iter(cases)

    async def work() -> None:
        for index, case in waiting:
            emit(CaseStarted(index))
            run = running[index] = _CaseRun(index, case, settings, emit)
            result = await run.result(probe)
            if running.pop(index, None):
                emit(CaseFinished(index, result))

    workers: asyncio.Future[Any] = asyncio.gather(*(work() for _ in range(max(1, min(settings.jobs, len(cases))))))
    await asyncio.wait((workers, stop), return_when=asyncio.FIRST_COMPLETED)
    if stop.done() and not workers.done():
        for index, run in list(running.items()):
            del running[index]
            emit(CaseFinished(index, run.interrupted(stop.result())))
        emit(RunStopped(stop.result()))
        workers.cancel()
    with suppress(asyncio.CancelledError):
        await workers


class _Probe:
    """Asks the QEMU under test what it can do, at most once and only if a scenario requires something."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asked: asyncio.Task[Capabilities] | None = None

    async def unmet(self, case: Case) -> str:
        requires = case.scenario.requires
        if not requires:
            return ""
        if self._asked is None:
            self._asked = asyncio.create_task(ask_capabilities(self._settings.programs, self._settings.guardian))
        return unmet(requires, self._settings.programs, await asyncio.shield(self._asked))


@dataclass
class _StepContext:
    """What one running step may use; see `runner.steps.base.Context`."""

    run: _CaseRun
    scope: Scope
    body: tuple[Step, ...]
    vm_name: str
    directory: Path
    logs: Path
    machines: dict[str, Machine]
    servers: dict[str, Child]
    programs: Programs
    processes: Processes
    trace: Trace

    def waits_for(self, what: str) -> None:
        self.run.waiting_for = what

    async def tool(self, tool: str, *arguments: str) -> Completed:
        self.waits_for(f"{tool} {' '.join(arguments[:1])}")
        return await self.processes.run([self.programs[tool], *arguments])

    async def run_block(self, block: Block) -> None:
        await self.run.block(block)


@dataclass
class _CaseRun:
    """One case on its way from the first step to the last process gone."""

    index: int
    case: Case
    settings: Settings
    emit: Emit
    waiting_for: str = "nothing yet"
    began: float = field(default_factory=time.monotonic)
    number: int = 0
    stack: tuple[Span, ...] = ()
    current: Blame | None = None
    blame: Blame | None = None
    machines: dict[str, Machine] = field(default_factory=dict)
    servers: dict[str, Child] = field(default_factory=dict)
    trace: Trace | None = None

    async def result(self, probe: _Probe) -> Result:
        """Run the case and clean up after it; whatever happens ends as a result."""
        try:
            reason = await probe.unmet(self.case)
            if reason:
                return Result(Outcome.SKIPPED, note=reason)
            directories = self.settings.workspace.open(self.index)
        except Exception as error:
            return self._conclude(Outcome.BROKEN, self._failure(error, None), None)
        return await self._in_directories(directories)

    def interrupted(self, reason: str) -> Result:
        """Return the result of a case that is stopped now."""
        where = f" in step {self.current.number} ({self.current.verb})" if self.current else ""
        self.blame = self.current
        failure = self._failure(StepFailed(f"{reason}{where}"), None)
        return Result(Outcome.INTERRUPTED, self._duration(), failure)

    async def block(self, block: Block) -> None:
        """Run the steps of a block in order."""
        for step in block.steps:
            await self._step(step, block.scope)

    async def _in_directories(self, directories: Directories) -> Result:
        trace = self.trace = Trace(directories.logs / "trace.jsonl")
        self.processes = Processes(directories.work, trace, self.settings.guardian)
        self.directories = directories
        outcome, failure = Outcome.INTERRUPTED, None
        try:
            outcome, failure = await self._attempt()
        finally:
            # Shielded: the stop of a run must not leave a child behind.
            await asyncio.shield(self._clean_up(politely=outcome is Outcome.PASSED))
            trace.close()
            unusual = outcome not in (Outcome.PASSED, Outcome.INTERRUPTED)
            try:
                kept = self.settings.workspace.close(directories, self.case.point.name, failed=unusual)
            except SetupError as error:
                outcome, failure, kept = Outcome.BROKEN, self._failure(error, None), ""
        return self._conclude(outcome, failure, kept)

    async def _attempt(self) -> tuple[Outcome, Failure | None]:
        limit = self.case.scenario.timeout_s or CASE_TIMEOUT_S
        try:
            async with asyncio.timeout(limit) as deadline:
                await self.block(Block(self.case.scenario.steps, self.case.scope()))
                await self._check_machines()
        except TimeoutError as error:
            if not deadline.expired():
                return Outcome.BROKEN, self._failure(error, None)
            message = f"the case timed out after {limit:g} s, waiting for {self.waiting_for}"
            return Outcome.TIMED_OUT, self._failure(StepTimedOut(message), limit)
        except StepTimedOut as error:
            return Outcome.TIMED_OUT, self._failure(error, error.args[1])
        except Exception as error:
            return outcome_of(error), self._failure(error, None)
        return Outcome.PASSED, None

    async def _check_machines(self) -> None:
        """A QEMU that died while no step looked is a crash all the same."""
        for machine in self.machines.values():
            if machine.status is not None and not machine.exit_expected:
                raise await machine.death()

    async def _step(self, step: Step, scope: Scope) -> None:
        self.number += 1
        number, began, previous = self.number, time.monotonic(), self.current
        self.current = Blame(step, number, self.stack, "", step.span)
        passed = False
        try:
            passed = await self._run_step(step, scope)
        except BaseException:
            self.blame = self.blame or self.current
            raise
        finally:
            self.emit(StepFinished(self.index, step.verb.NAME, step.span, passed, time.monotonic() - began))
        self.current, self.blame = previous, None

    async def _run_step(self, step: Step, scope: Scope) -> bool:
        when = modifier(step, "when", scope)
        if when is not None and to_json(when) is not True:
            return True
        limit = self._limit(step, scope)
        try:
            async with asyncio.timeout(limit) as deadline:
                result = await self._perform(step, scope)
        except TimeoutError:
            if not deadline.expired():
                raise
            message = f"timed out after {limit:g} s, waiting for {self.waiting_for}"
            raise StepTimedOut(message, limit) from None
        if step.save:
            scope.set(step.save, result)
        return True

    def _limit(self, step: Step, scope: Scope) -> float | None:
        node = modifier(step, "timeout", scope)
        if node is not None:
            return seconds_of(node)
        return None if issubclass(step.verb, FlowVerb) else STEP_TIMEOUT_S

    async def _perform(self, step: Step, scope: Scope) -> JsonValue:
        bound = bind(step, scope)
        trace = self.trace
        assert bound.verb and self.current and trace
        self.current.rendered = json.dumps({step.verb.NAME: to_partial(bound.argument)}, default=str)
        vm = modifier(step, "vm", scope)
        context = _StepContext(
            run=self,
            scope=scope,
            body=step.body,
            vm_name=str(to_json(vm)) if vm else DEFAULT_VM,
            directory=self.directories.work,
            logs=self.directories.logs,
            machines=self.machines,
            servers=self.servers,
            programs=self.settings.programs,
            processes=self.processes,
            trace=trace,
        )
        error, expect = modifier(step, "error", scope), modifier(step, "expect", scope)
        outer = self.stack
        if issubclass(step.verb, FlowVerb):
            self.stack = (*outer, step.span)
        try:
            result = await bound.verb.run(context)
        except CommandFailed as failed:
            return expected_failure(failed, error)
        finally:
            if error is None or not isinstance(bound.verb, FlowVerb):
                self.stack = outer
        if error is not None:
            raise StepFailed(
                f"'{step.verb.NAME}' succeeded, though it must fail",
                span=error.span,
                wanted=json.dumps(to_json(error)),
                found=json.dumps(result)[:400],
            )
        if expect is not None:
            require_match(expect, result, f"the result of '{step.verb.NAME}'")
        return result

    async def _clean_up(self, *, politely: bool) -> None:
        await self.processes.end_all(politely=politely)
        for machine in self.machines.values():
            await machine.close()

    def _failure(self, error: BaseException, limit: float | None) -> Failure:
        return failure_of(
            error,
            self.blame or Blame(None, 0, (), "", self.case.scenario.span),
            traffic=self.trace.last() if self.trace else (),
            stderr_tail=next((tail for machine in self.machines.values() if (tail := machine.stderr_tail())), ""),
            limit_s=limit,
        )

    def _conclude(self, outcome: Outcome, failure: Failure | None, kept: str | None) -> Result:
        known = self.case.scenario.expected_failure
        if known and outcome in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED):
            return Result(Outcome.KNOWN_FAILURE, self._duration(), failure, kept or "", known)
        if known and outcome is Outcome.PASSED:
            text = "passed, though it is known to fail"
            diagnostic = Diagnostic(self.case.scenario.span, text, "remove 'expected-failure'")
            return Result(Outcome.UNEXPECTED_PASS, self._duration(), Failure(diagnostic), kept or "")
        return Result(outcome, self._duration(), failure, kept or "")

    def _duration(self) -> float:
        return time.monotonic() - self.began
