"""The error for a QEMU that is still running but no longer speaks QMP."""

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
    """A child that never exits."""

    exitcode = None
    has_exited = False
    stderr = SimpleNamespace(tail=str)

    async def wait(self) -> int:
        """Never return."""
        await asyncio.Event().wait()
        return 0


async def _query(directory: Path, reply: bytes) -> None:
    """Query a peer that sends its greeting, then this reply, and closes the connection."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with theirs, contextlib.closing(Trace(directory / "trace.jsonl")) as trace:
        session = _QmpSession("vm", lambda kind, message: machine._on_message(kind, message))
        machine = Machine("vm", cast(Any, _RunsOn()), session, trace)
        theirs.send(GREETING)
        await machine._connect(ours)
        sending = asyncio.create_task(_send(theirs, reply))
        try:
            await machine.execute({"execute": "query-status"})
        finally:
            sending.cancel()
            await machine.disconnect()


async def _send(stream: socket.socket, reply: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(stream, reply)
    stream.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"", "it closed the connection"),
        (b"not JSON\n", "it sent invalid JSON: b'not JSON'"),
        (b'{"return": "\xff"}\n', "it sent invalid UTF-8: "),
        (b'{"return": "' + b"x" * QMP_LINE_LIMIT + b'"}\n', "it sent a line of more than 8 MiB"),
    ],
    ids=["nothing", "JSON", "UTF-8", "length"],
)
def test_the_error_says_what_ended_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: bytes, reason: str
) -> None:
    monkeypatch.setattr("run_scenarios.qemu.machine.EXIT_GRACE_S", 0.01)
    with pytest.raises(MachineDied, match=f"^VM 'vm' closed its QMP session and is still running: {reason}"):
        asyncio.run(_query(tmp_path, reply))
