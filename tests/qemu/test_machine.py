"""What is said of a QEMU that runs on and no longer speaks QMP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from run_scenarios.core.errors import MachineDied
from run_scenarios.qemu.machine import QMP_LINE_LIMIT, Machine, _QmpSession
from run_scenarios.qemu.trace import Trace

GREETING = b'{"QMP": {"version": {"qemu": {"major": 9}, "package": ""}, "capabilities": []}}\n{"return": {}}\n'


class _RunsOn(SimpleNamespace):
    """A child that never ends."""

    exitcode = None
    has_exited = False
    stderr = SimpleNamespace(tail=str)

    async def wait(self) -> int:
        """Wait for ever."""
        await asyncio.Event().wait()
        return 0


async def _ask(directory: Path, says: bytes) -> None:
    """Ask a peer that greets us and then says this, and no more."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with theirs, contextlib.closing(Trace(directory / "trace.jsonl")) as trace:
        session = _QmpSession("vm", lambda kind, message: machine._on_message(kind, message))
        machine = Machine("vm", cast(Any, _RunsOn()), session, trace)
        theirs.send(GREETING)
        await machine._connect(ours)
        speaking = asyncio.create_task(_speak(theirs, says))
        try:
            await machine.execute({"execute": "query-status"})
        finally:
            speaking.cancel()
            await machine.disconnect()


async def _speak(stream: socket.socket, says: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(stream, says)
    stream.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (b"", "it hung up"),
        (b"no JSON\n", "it said what is no JSON: b'no JSON'"),
        (b'{"return": "\xff"}\n', "it said what is no UTF-8: "),
        (b'{"return": "' + b"x" * QMP_LINE_LIMIT + b'"}\n', "it said more than 8 MiB at once"),
    ],
    ids=["nothing", "no JSON", "no UTF-8", "too much"],
)
def test_what_ended_the_session_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: bytes, why: str) -> None:
    monkeypatch.setattr("run_scenarios.qemu.machine.EXIT_GRACE_S", 0.01)
    with pytest.raises(MachineDied, match=f"^VM 'vm' lost its QMP session and runs on: {why}"):
        asyncio.run(_ask(tmp_path, says))
