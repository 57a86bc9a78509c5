"""Run the steps of one case, in the directories and with the trace that were made for it."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from signal import SIGKILL
from typing import Any

from run_scenarios.content.disks import Disks
from run_scenarios.core.errors import CommandFailed, EvaluationError, MachineDied, ScenarioError, StepFailed
from run_scenarios.core.events import Emit, StepFinished, StepStarted
from run_scenarios.core.exit_status import STATUSES_AFTER_SIGTERM
from run_scenarios.core.nodes import JsonValue, Node, to_json
from run_scenarios.core.source import Span
from run_scenarios.execution.deadlines import Deadlines
from run_scenarios.execution.debugger import Debugger
from run_scenarios.execution.failure import (
    RunningStep,
    check_expected_error,
    literal_text,
    make_step_record,
    unexpected_success_error,
)
from run_scenarios.qemu.machine import Machine
from run_scenarios.qemu.nbd_server import NbdServer
from run_scenarios.qemu.process import ChildProcesses, CompletedTool
from run_scenarios.qemu.trace import Trace
from run_scenarios.qemu.workspace import CaseDirectories
from run_scenarios.scenario.binding import bind_modifier, bind_step
from run_scenarios.scenario.case import Task
from run_scenarios.scenario.confinement import find_outside_link
from run_scenarios.steps.argument_types import parse_seconds
from run_scenarios.steps.qemu_io_output import check_asynchronous_output
from run_scenarios.steps.scope import Block, Scope
from run_scenarios.steps.verb import DEFAULT_VM, Context, ControlFlowVerb, Step, Verb
from run_scenarios.syntax.matchers import require_match

STEP_TIMEOUT_S = 60.0


class StepRunner:
    """Runs the steps of one case and owns the VMs and servers that they start.

    :param began: when the case began, by the monotonic clock.
    """

    def __init__(
        self,
        task: Task,
        directories: CaseDirectories,
        trace: Trace,
        processes: ChildProcesses,
        emit: Emit,
        debugger: Debugger | None,
        began: float,
    ) -> None:
        self.task = task
        self.directories = directories
        self.trace = trace
        self.processes = processes
        self.debugger = debugger
        self.deadlines = Deadlines()
        self.machines: dict[str, Machine] = {}
        self.servers: dict[str, NbdServer] = {}
        self.disks = Disks()
        self.running: RunningStep | None = None
        """The innermost step that is running."""
        self.failed: RunningStep | None = None
        """The innermost step that failed, until a later step begins."""
        self._crashes: dict[Machine | NbdServer, MachineDied] = {}
        self._is_shutting_down = False
        self._emit = emit
        self._began = began
        self._started = 0
        self._callers: tuple[Span, ...] = ()

    async def run_block(self, block: Block) -> None:
        """Run the steps of a block in order."""
        for step in block.steps:
            await self._run_step(step, block.scope)

    @property
    def vms_and_servers(self) -> tuple[Machine | NbdServer, ...]:
        """The VMs and servers that the steps have started and not stopped."""
        return (*self.machines.values(), *self.servers.values())

    async def check_programs(self) -> None:
        """Look for a QEMU or a server that exited, or a QEMU that hung up, without being noticed by a step.

        :raise MachineDied: if there is one.
        """
        for error in await self.find_crashes():
            raise error
        for machine in self.machines.values():
            check_asynchronous_output(machine)

    async def shut_down(self) -> None:
        """End every process with SIGTERM and wait until it has ended.

        :raise MachineDied: if a QEMU or a server crashes on the way.
        :raise TimeLimitExceeded: if a process does not end.
        """
        self.trace.record("end", None, "SIGTERM")
        self._is_shutting_down = True
        self.deadlines.waiting_for = f"{' and '.join(self.processes.running)} to end after SIGTERM"
        await self.deadlines.run_within(STEP_TIMEOUT_S, self.processes.terminate_all())
        await self.check_programs()

    def note_crash(self, error: MachineDied) -> None:
        """Remember that a step has noticed a crash."""
        for program in self.vms_and_servers:
            if program.name == error.program:
                self._crashes[program] = error

    async def find_crashes(self) -> list[MachineDied]:
        """Return the errors of the VMs and servers that have exited or hung up without being asked to."""
        for program in self.vms_and_servers:
            if program not in self._crashes and self._has_crashed(program):
                error = await program.exit_error()
                if isinstance(error, MachineDied):
                    self._crashes[program] = error
        return list(self._crashes.values())

    async def kill_everything(self) -> None:
        """Kill what still runs with SIGKILL, and close the QMP sessions."""
        healthy = [program for program in self.vms_and_servers if not self._has_crashed(program)]
        await self.processes.kill_all()
        for program in healthy:
            # With any other status, it crashed before the signal.
            program.exit_expected = program.exit_expected or program.exitcode == -SIGKILL
        for machine in self.machines.values():
            await machine.disconnect()

    def _has_crashed(self, program: Machine | NbdServer) -> bool:
        if self._is_shutting_down:
            return program.exitcode not in (None, *STATUSES_AFTER_SIGTERM) and not program.exit_expected
        return program.is_lost or program.has_crashed

    async def pause(self, wait: Coroutine[Any, Any, None]) -> float:
        """Wait for a person with every deadline suspended, and return how many seconds that took."""
        self.deadlines.waiting_for = "a person to press Enter"
        seconds = await self.deadlines.suspend_during(wait)
        self.trace.record("paused", None, round(seconds, 3))
        return seconds

    def choose_stderr(self) -> tuple[str, str]:
        """Return the name and the end of the standard error of one VM or server that wrote to it.

        One that crashed comes first, then the VM of the failed step.
        """
        step = self.failed or self.running
        step_vm = self.machines.get(step.vm) if step else None
        programs = (*self._crashes, *([step_vm] if step_vm else []), *self.vms_and_servers)
        return next(((each.name, tail) for each in programs if (tail := each.stderr_tail())), ("", ""))

    def describe_floods(self) -> list[str]:
        """Return a line of text for each event that a VM sent too often to keep."""
        return [line for machine in self.machines.values() for line in machine.events.describe_floods()]

    async def _run_step(self, step: Step, scope: Scope) -> None:
        outer, running = self.running, self._begin_step(step)
        # Within 'eventually', an earlier attempt may have failed.
        self.running, self.failed = running, None
        if self.debugger and self.debugger.each_step:
            await self._pause_before(running, scope, self.debugger)
        began = time.monotonic()
        passed = ran = False
        try:
            ran = await self._run_evaluated(running, scope)
            passed, self.failed = True, None
        except BaseException:
            self.failed = self.failed or running
            raise
        finally:
            self.running = outer
            self._end_step(running, began, passed=passed, skipped=passed and not ran)

    def _begin_step(self, step: Step) -> RunningStep:
        self._started += 1
        running = RunningStep(step, self._started, self._callers)
        name = literal_text(step.name)
        self._emit(StepStarted(self.task.index, running.number, running.verb, step.span, name, len(self._callers)))
        self.trace.begin_step(make_step_record(running))
        return running

    def _end_step(self, running: RunningStep, began: float, *, passed: bool, skipped: bool) -> None:
        traffic, omitted = self.trace.end_step()
        self._emit(
            StepFinished(
                self.task.index,
                running.number,
                running.verb,
                running.step.span,
                passed,
                began_s=began - self._began,
                duration_s=time.monotonic() - began,
                traffic=traffic,
                omitted=omitted,
                skipped=skipped,
            )
        )

    async def _pause_before(self, running: RunningStep, scope: Scope, debugger: Debugger) -> None:
        with suppress(ScenarioError):
            running.argument = bind_step(running.step, scope).argument
        await self.pause(debugger.before_step(running, self.machines.values(), self.directories.work))

    async def _run_evaluated(self, running: RunningStep, scope: Scope) -> bool:
        """Run a step; an expression that fails now, and did not in the dry run, fails because of what QEMU returned.

        :raise StepFailed: for such an expression.
        """
        try:
            return await self._run_unless_skipped(running, scope)
        except EvaluationError as error:
            wrong = error.diagnostics[0]
            raise StepFailed(wrong.message, span=wrong.span, hint=wrong.hint) from None

    async def _run_unless_skipped(self, running: RunningStep, scope: Scope) -> bool:
        """Run a step and save its result; return whether its `when` let it run."""
        step = running.step
        when = bind_modifier(step, "when", scope)
        if when is not None and to_json(when) is not True:
            return False
        result = await self.deadlines.run_within(_time_limit(step, scope), self._run_verb(running, scope))
        if step.save:
            scope.set(step.save, result)
        return True

    async def _run_verb(self, running: RunningStep, scope: Scope) -> JsonValue:
        """Run the verb of a step, and return its result, which meets `error` and `expect`."""
        step, bound = running.step, bind_step(running.step, scope)
        assert bound.verb
        self.deadlines.waiting_for = f"'{running.verb}'"
        running.argument = bound.argument
        vm = bind_modifier(step, "vm", scope)
        running.vm = str(to_json(vm)) if vm else DEFAULT_VM
        verb = self._instrument_verb(bound.verb, bound.argument)
        error, expect = bind_modifier(step, "error", scope), bind_modifier(step, "expect", scope)
        self._refuse_links(step)
        try:
            with self._as_caller(step):
                result = await self._run_recorded(verb, step, self._make_context(step, scope, running.vm))
        except CommandFailed as failed:
            return check_expected_error(failed, error)
        if error is not None:
            raise unexpected_success_error(running.verb, result, error)
        if expect is not None:
            require_match(expect, result, f"the result of '{running.verb}'")
        return result

    def _instrument_verb(self, verb: Verb, argument: Node) -> Verb:
        instrument = self.task.instrument
        if instrument is None:
            return verb
        adapted = instrument.adapt_argument(type(verb), argument)
        return verb if adapted is argument else verb.parse(adapted)

    async def _run_recorded(self, verb: Verb, step: Step, context: Context) -> JsonValue:
        """Run a verb, and record what it has changed on the disks, whether it succeeds or fails."""
        if isinstance(verb, ControlFlowVerb):
            return await verb.run(context)
        instrument = self.task.instrument
        if instrument:
            instrument.before_step(verb, self.disks)
        succeeded = False
        try:
            result = await verb.run(context)
            succeeded = True
        finally:
            name = literal_text(step.name)
            self.disks.step = f"{step.span} ({verb.NAME}{name and ': '}{name})"
            verb.record(self.disks, context.vm_name, succeeded=succeeded)
            if instrument:
                instrument.after_step(verb, self.disks, succeeded=succeeded)
        return result

    def _refuse_links(self, step: Step) -> None:
        """Refuse to go on in a directory from which a program has made a link to the outside.

        :raise StepFailed: if there is such a link.
        """
        if not (step.confined and step.verb.OPENS_FILES):
            return
        link = find_outside_link(self.directories.work)
        if link:
            raise StepFailed(f"'{link}' is a link out of the case's directory", hint="a program made it")

    @contextmanager
    def _as_caller(self, step: Step) -> Iterator[None]:
        """Add a control-flow step to the call stack of the steps that it runs."""
        outer = self._callers
        if issubclass(step.verb, ControlFlowVerb):
            self._callers = (*outer, step.span)
        try:
            yield
        finally:
            self._callers = outer

    def _make_context(self, step: Step, scope: Scope, vm: str) -> _StepContext:
        return _StepContext(
            directory=self.directories.work,
            logs=self.directories.logs,
            scope=scope,
            body=step.body,
            machines=self.machines,
            servers=self.servers,
            programs=self.task.programs,
            processes=self.processes,
            trace=self.trace,
            disks=self.disks,
            vm_name=vm,
            pauses=self.debugger is not None,
            runner=self,
        )


@dataclass(kw_only=True)
class _StepContext(Context):
    """The context of one running step."""

    runner: StepRunner

    def describe_wait(self, what: str) -> None:
        self.runner.deadlines.waiting_for = what

    async def run_tool(self, tool: str, *arguments: str) -> CompletedTool:
        self.describe_wait(f"{tool} {' '.join(arguments[:1])}")
        return await self.processes.run([self.programs[tool], *arguments])

    async def run_block(self, block: Block, limit_s: float | None = None) -> None:
        await self.runner.deadlines.run_within(limit_s, self.runner.run_block(block))


def _time_limit(step: Step, scope: Scope) -> float | None:
    """Return the seconds that a step may take, None for no limit."""
    node = bind_modifier(step, "timeout", scope)
    if node is not None:
        return parse_seconds(node)
    return None if issubclass(step.verb, ControlFlowVerb) else STEP_TIMEOUT_S
