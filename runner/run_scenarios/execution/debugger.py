"""A run that waits for a person: before each step, or where a case failed. Imports model, errors and qemu.

The prompts are events like all that is told; the answers are lines typed at the terminal.
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

MOST_PATH_BYTES = 107
STDIN = 0


@dataclass
class Debugger:
    """When to wait, and how to say so.

    :param each_step: before each step, until the answer `c`.
    :param on_failure: before the VMs of a case that failed are ended.
    """

    each_step: bool
    on_failure: bool
    emit: Emit

    async def before_step(self, blame: RunningStep, machines: Iterable[Machine], work: Path) -> None:
        """Show a step that is about to begin, and wait for an answer."""
        assert blame.step
        name = literal_text(blame.step.name)
        title = f"step {blame.number} ({blame.verb}){f': {name}' if name else ''}"
        self._say(
            f"{blame.span}: {escape_unprintable(title)}",
            *format_excerpt(blame.span),
            *(
                [f"  runs: {escape_unprintable(blame.rendered)}"]
                if blame.step.argument.dynamic and blame.rendered
                else []
            ),
            *_ways_in(machines, work),
            "Enter goes on, c goes on to the end, q ends the run",
        )
        answer = (await _typed_line()).strip()
        if answer == "q":
            await _end_run()
        self.each_step = self.each_step and answer != "c"

    async def after_failure(self, case: str, failure: Failure, machines: Iterable[Machine], work: Path) -> None:
        """Say what failed and how to look at it, and wait for Enter."""
        span = failure.diagnostic.span
        self._say(
            f"{span}: {escape_unprintable(failure.diagnostic.message)}",
            *format_excerpt(span, failure.diagnostic.hint),
            *_ways_in(machines, work),
            f"{escape_unprintable(case)} is paused; Enter goes on, Ctrl-C ends the run",
        )
        await _typed_line()

    def _say(self, *lines: str) -> None:
        self.emit(Notice("\n".join(lines)))


def _ways_in(machines: Iterable[Machine], work: Path) -> Sequence[str]:
    shells = [f"  {_shell(work.parent, machine.name)}" for machine in machines if machine.is_running]
    return [f"  directory: {work}", *(shells or ["  no VM runs"])]


def _shell(directory: Path, name: str) -> str:
    """Return the command that talks to a VM. Source: unix(7), for how long the path of a socket may be."""
    beside = Path(sys.executable).with_name("qmp-shell")
    program = "qmp-shell" if shutil.which("qmp-shell") or not beside.exists() else str(beside)
    socket = directory / f"{name}.qmp"
    if len(os.fsencode(socket)) <= MOST_PATH_BYTES:
        return shlex.join([program, str(socket)])
    return f"cd {shlex.quote(str(directory))} && {shlex.join([program, socket.name])}"


async def _typed_line() -> str:
    """Wait for a line at the terminal; a terminal that has gone answers with nothing."""
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


async def _end_run() -> None:
    """Stop the run as Ctrl-C does, which cancels what waits here."""
    signal.raise_signal(signal.SIGINT)
    await asyncio.get_running_loop().create_future()
