"""Use a VM directly, without a scenario around it, and so without the check that a scenario stays in its directory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.machine import Machine
from run_scenarios.qemu.process import ChildProcesses
from run_scenarios.qemu.programs import BARE_MACHINE
from run_scenarios.qemu.trace import Trace

from tests.support.programs import find_program


def use_machine(directory: Path, arguments: list[str], use: Callable[[Machine], Awaitable[None]]) -> None:
    """Launch a VM without a machine in this directory, use it, and kill it."""
    guardian = Guardian.start()

    async def run() -> None:
        with closing(Trace(directory / "trace.jsonl")) as trace:
            processes = ChildProcesses(directory, trace, guardian)
            argv = [find_program("qemu"), *BARE_MACHINE, *arguments]
            try:
                machine = await Machine.launch("vm", argv, processes, trace, directory)
                try:
                    await use(machine)
                finally:
                    await machine.disconnect()
            finally:
                await processes.kill_all()

    try:
        asyncio.run(run())
    finally:
        guardian.stop()
