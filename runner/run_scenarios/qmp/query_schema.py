"""Start a program once to ask it for its QMP schema."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from run_scenarios.core.errors import RunnerError, SetupError
from run_scenarios.core.nodes import JsonObject
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.machine import Machine
from run_scenarios.qemu.process import ChildProcesses
from run_scenarios.qemu.programs import BARE_MACHINE, PROBE_TIMEOUT_S, Programs
from run_scenarios.qemu.trace import Trace


async def query_schema(programs: Programs, guardian: Guardian, program: str) -> JsonObject:
    """Start a program and return its version and schema: `{version: [int, int, int], schema: [SchemaInfo, …]}`.

    :param program: `qemu` or `qemu-storage-daemon`.
    :raise SetupError: if it is missing, does not start or does not answer.
    """
    is_daemon = program != "qemu"
    argv = [programs[program], *(() if is_daemon else BARE_MACHINE)]
    with tempfile.TemporaryDirectory(prefix="run-scenarios-probe-") as name:
        directory = Path(name)
        guardian.watch_directory(directory)
        trace = Trace(directory / "trace.jsonl")
        processes = ChildProcesses(directory, trace, guardian)
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                machine = await Machine.launch(
                    "probe",
                    argv,
                    processes,
                    trace,
                    directory,
                    daemon=is_daemon,
                    monitor_objects=program in programs.monitor_objects,
                )
                try:
                    return await _query(machine)
                finally:
                    await machine.disconnect()
        except (RunnerError, TimeoutError) as error:
            raise SetupError(f"{argv[0]} cannot be asked for its QMP schema: {error}") from None
        finally:
            await processes.kill_all()
            trace.close()
            guardian.forget_directory(directory)


async def _query(machine: Machine) -> JsonObject:
    version = (await machine.query("query-version"))["qemu"]
    numbers = [version[part] for part in ("major", "minor", "micro")]
    return {"version": numbers, "schema": await machine.query("query-qmp-schema")}
