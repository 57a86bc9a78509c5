"""The process next to a Dask worker that runs its cases, as many at a time as it is given.

It reads requests from standard input and writes responses to standard output. When the worker dies, that input ends,
and so do the cases, their processes and their files.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.errors import RunnerError
from run_scenarios.core.events import Failure, Outcome, Result, RunEvent
from run_scenarios.execution.case_runner import CaseRunner, Settings
from run_scenarios.execution.cluster.messages import CaseRequest, CaseResponse, StopRun, receive, send
from run_scenarios.execution.scheduler import RequirementChecker
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.programs import Programs, find_programs
from run_scenarios.qemu.workspace import Workspace
from run_scenarios.qmp.introspection import SavedSchemas, introspect
from run_scenarios.qmp.requirements import find_unmet_requirement
from run_scenarios.qmp.schema import QMP_PROGRAMS, QmpSchema
from run_scenarios.qmp.step_checker import QmpChecker, is_checked
from run_scenarios.scenario.case import Case, Task
from run_scenarios.scenario.dry_run import dry_run, find_reachable_procedures
from run_scenarios.scenario.model import Requirements

FILE_LIMIT = 64 << 20


def main() -> None:
    """Serve until standard input ends."""
    guardian = Guardian.start()
    place = Path(tempfile.mkdtemp(prefix="run-scenarios-agent-", dir=os.environ.get("TEST_DIR"))).absolute()
    guardian.watch_directory(place)
    try:
        asyncio.run(_serve(place, guardian))
    finally:
        guardian.stop()


async def _serve(place: Path, guardian: Guardian) -> None:
    """Run every request as it comes; at the end of the input, stop all cases."""
    messages: asyncio.Queue[CaseRequest | StopRun | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    threading.Thread(target=_read_messages, args=(sys.stdin.buffer, loop, messages), daemon=True).start()
    server = _CaseServer(place, guardian, sys.stdout.buffer)
    while (message := await messages.get()) is not None:
        if isinstance(message, StopRun):
            server.stop(message.run)
        else:
            server.start(message)
    await server.stop_all()


def _read_messages(
    stream: IO[bytes], loop: asyncio.AbstractEventLoop, messages: asyncio.Queue[CaseRequest | StopRun | None]
) -> None:
    try:
        while (message := receive(stream)) is not None:
            assert not isinstance(message, CaseResponse)
            loop.call_soon_threadsafe(messages.put_nowait, message)
    finally:
        loop.call_soon_threadsafe(messages.put_nowait, None)


class _CaseServer:
    """Runs cases, on the builds of QEMU that they ask for.

    :param place: the parent of the directories of the cases.
    """

    def __init__(self, place: Path, guardian: Guardian, output: IO[bytes]) -> None:
        self._place = place
        self._guardian = guardian
        self._output = output
        self._running: dict[asyncio.Task[None], str] = {}
        self._builds: dict[frozenset[tuple[str, str]], _Build] = {}
        self._requirements = RequirementChecker(guardian)
        self._count = 0

    def start(self, request: CaseRequest) -> None:
        """Begin to run a case."""
        self._count += 1
        task = asyncio.create_task(self._respond(request, self._place / str(self._count)))
        self._running[task] = request.run
        task.add_done_callback(self._running.pop)

    def stop(self, run: str) -> None:
        """Stop the cases of a run without waiting for them."""
        for task, its_run in self._running.items():
            if its_run == run:
                task.cancel()

    async def stop_all(self) -> None:
        """Stop every case, and wait until all are cleaned up."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _respond(self, request: CaseRequest, place: Path) -> None:
        events: list[RunEvent] = []
        try:
            result = await self._run_case(request, place, events)
            kept = result.artifacts and (result.outcome.is_failure or request.keep_logs)
            files = _read_files(Path(result.artifacts)) if kept else {}
        except (RunnerError, OSError) as error:
            result, files = _make_broken_result(request.case, str(error)), {}
        finally:
            shutil.rmtree(place, ignore_errors=True)
        send(
            self._output, CaseResponse(request.run, request.index, replace(result, artifacts=""), tuple(events), files)
        )

    async def _run_case(self, request: CaseRequest, place: Path, events: list[RunEvent]) -> Result:
        build = self._find_build(request)
        errors = await build.check_qmp(request.case, self._guardian)
        if errors:
            return Result(Outcome.INVALID, failure=Failure(errors[0]))
        task = Task(request.index, request.case, build.programs, request.point)
        workspace = Workspace(place, place / "logs", False, self._guardian)
        settings = Settings(workspace, self._guardian, records_traffic=request.records_traffic)
        try:
            return await CaseRunner(task, settings, events.append, self._requirements.find_unmet).result()
        finally:
            workspace.remove()

    def _find_build(self, request: CaseRequest) -> _Build:
        key = frozenset(request.tools.items())
        if key not in self._builds:
            self._builds[key] = _Build(find_programs(request.tools, os.environ))
        return self._builds[key]


@dataclass
class _Build:
    """One QEMU on this machine, its QMP schemas, and the scenarios that were checked against them."""

    programs: Programs
    _schemas: dict[str, QmpSchema] = field(default_factory=dict)
    _checked: dict[frozenset[str], tuple[Diagnostic, ...]] = field(default_factory=dict)

    async def check_qmp(self, case: Case, guardian: Guardian) -> tuple[Diagnostic, ...]:
        """Return the errors in the QMP of a scenario, according to the schema of this QEMU.

        :raise SetupError: if QEMU cannot be asked.
        """
        scenario = case.load()
        procedures = find_reachable_procedures(scenario.procedures.values())
        texts = frozenset({scenario.span.source.text, *(each.span.source.text for each in procedures)})
        if texts not in self._checked:
            walks = [[each for each in walk if is_checked(each)] for walk in dry_run(scenario).visited]
            check = QmpChecker(SavedSchemas(await self._get_schemas(guardian)), self._find_unmet)
            self._checked[texts] = tuple(check.check(scenario, walks))
        return self._checked[texts]

    async def _get_schemas(self, guardian: Guardian) -> dict[str, QmpSchema]:
        for program in QMP_PROGRAMS:
            if program not in self._schemas and program in self.programs.paths:
                self._schemas[program] = await introspect(self.programs, guardian, program)
        return self._schemas

    def _find_unmet(self, requires: Requirements, schema: QmpSchema) -> str:
        return find_unmet_requirement(requires, self.programs, schema)


def _make_broken_result(case: Case, message: str) -> Result:
    return Result(Outcome.BROKEN, failure=Failure(Diagnostic(case.load().span, message)))


def _read_files(directory: Path) -> dict[str, bytes]:
    """Return the files in a directory, each cut to its last `FILE_LIMIT` bytes."""
    files = {}
    for file in sorted(directory.rglob("*")):
        if file.is_file() and not file.is_symlink():
            with file.open("rb") as stream:
                stream.seek(max(0, file.stat().st_size - FILE_LIMIT))
                files[str(file.relative_to(directory))] = stream.read()
    return files


if __name__ == "__main__":
    main()
