"""Pause cases for a person: before each step, or after a failure.

Prompts are `Notice` events, as every other output is; answers are lines typed at the terminal.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from run_scenarios.core.diagnostics import escape_unprintable, format_excerpt
from run_scenarios.core.events import Emit, Failure, Notice
from run_scenarios.execution.failure import RunningStep, literal_text
from run_scenarios.qemu.machine import Machine

MAX_SOCKET_PATH_BYTES = 107
STDIN = 0


@dataclass
class Debugger:
    """Pauses cases and shows how to look at them.

    :param each_step: pause before each step, until the answer is `c`.
    :param on_failure: pause after a failure, before the VMs of the case are killed.
    """

    each_step: bool
    on_failure: bool
    emit: Emit

    async def before_step(self, running: RunningStep, machines: Iterable[Machine], work: Path) -> None:
        """Show a step that is about to run, and wait for an answer."""
        step = running.step
        name = literal_text(step.name)
        title = f"step {running.number} ({running.verb}){f': {name}' if name else ''}"
        self._show(
            f"{step.span}: {escape_unprintable(title)}",
            *format_excerpt(step.span),
            *(
                [f"  runs: {escape_unprintable(running.rendered)}"]
                if step.argument.dynamic and running.rendered
                else []
            ),
            *_describe_access(machines, work),
            "Enter goes on, c goes on to the end, q ends the run",
        )
        answer = (await _read_line()).strip()
        if answer == "q":
            await _interrupt_run()
        self.each_step = self.each_step and answer != "c"

    async def after_failure(self, case: str, failure: Failure, machines: Iterable[Machine], work: Path) -> None:
        """Show what failed and how to look at it, and wait for Enter."""
        span = failure.diagnostic.span
        self._show(
            f"{span}: {escape_unprintable(failure.diagnostic.message)}",
            *format_excerpt(span, failure.diagnostic.hint),
            *_describe_access(machines, work),
            f"{escape_unprintable(case)} is paused; Enter goes on, Ctrl-C ends the run",
        )
        await _read_line()

    def _show(self, *lines: str) -> None:
        self.emit(Notice("\n".join(lines)))


def _describe_access(machines: Iterable[Machine], work: Path) -> Sequence[str]:
    shells = [f"  {_format_shell_command(work.parent, machine.name)}" for machine in machines if machine.is_running]
    return [f"  directory: {work}", *(shells or ["  no VM runs"])]


def _format_shell_command(directory: Path, name: str) -> str:
    """Return the command that connects to a VM. Source: unix(7) limits the length of a socket's path."""
    installed = Path(sys.executable).with_name("qmp-shell")
    program = "qmp-shell" if shutil.which("qmp-shell") or not installed.exists() else str(installed)
    socket = directory / f"{name}.qmp"
    if len(os.fsencode(socket)) <= MAX_SOCKET_PATH_BYTES:
        return shlex.join([program, str(socket)])
    return f"cd {shlex.quote(str(directory))} && {shlex.join([program, socket.name])}"


async def _read_line() -> str:
    """Wait for a line at the terminal; return "" if the terminal has gone."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        try:
            line = os.read(STDIN, 4096)
        except OSError:
            line = b""
        if not typed.done():
            typed.set_result(line.decode("utf-8", "replace"))

    loop.add_reader(STDIN, read)
    try:
        return await typed
    finally:
        loop.remove_reader(STDIN)


async def _interrupt_run() -> None:
    """Stop the run as Ctrl-C does, which cancels this coroutine."""
    signal.raise_signal(signal.SIGINT)
    await asyncio.get_running_loop().create_future()
