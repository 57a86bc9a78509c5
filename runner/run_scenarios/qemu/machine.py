"""One QEMU, or qemu-storage-daemon, under test: its process, its QMP session, its events.

Imports errors, process and trace.

QMP travels over an inherited socket pair: no socket path, no race at the start, and no way for anybody else to connect.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qemu.qmp import (
    ConnectError,
    ExecInterruptedError,
    ExecuteError,
    Message,
    QMPClient,
    QMPError,
    Runstate,
    StateError,
)
from qemu.qmp.message import DeserializationError

from run_scenarios.core.errors import CommandFailed, MachineDied, StepFailed
from run_scenarios.core.exit_status import describe_status
from run_scenarios.core.nodes import JsonObject, JsonValue
from run_scenarios.qemu.process import Child, ChildProcesses
from run_scenarios.qemu.trace import Trace

EXIT_GRACE_S = 5.0
QMP_LINE_LIMIT = 8 << 20
SHOWN_BYTES = 200

# Whatever goes wrong on the wire is reported by the step that meets it; the library would print it a second time.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)


class _QmpSession(QMPClient):
    """A QMP client that shows every message to a hook, and formats none for a log nobody reads."""

    def __init__(self, name: str, hook: Callable[[str, Message], None]) -> None:
        super().__init__(name, readbuflen=QMP_LINE_LIMIT)
        self._hook = hook
        # Our own log has every event already; the default listener cannot be removed, but it can be made to pass.
        self.events.event_filter = lambda event: False

    def _cb_outbound(self, msg: Message) -> Message:
        self._hook("send", msg)
        return msg

    def _cb_inbound(self, msg: Message) -> Message:
        self._hook("recv", msg)
        return msg


class EventLog:
    """Every event of one VM in order; reading one consumes it, what is not read stays."""

    def __init__(self) -> None:
        self._events: list[JsonObject] = []

    def append(self, event: JsonObject) -> None:
        """Add an event as it came."""
        self._events.append(event)

    def take(self, wanted: Callable[[JsonObject], bool]) -> JsonObject | None:
        """Consume and return the first event that is wanted, or return None."""
        for index, event in enumerate(self._events):
            if wanted(event):
                return self._events.pop(index)
        return None

    def unconsumed(self, wanted: Callable[[JsonObject], bool] = lambda event: True) -> list[JsonObject]:
        """Return the events nobody has consumed yet, oldest first."""
        return [event for event in self._events if wanted(event)]


class Machine:
    """A running QEMU; `Machine.launch` makes one."""

    def __init__(self, name: str, child: Child, session: _QmpSession, trace: Trace) -> None:
        self.name = name
        self.events = EventLog()
        self.exit_expected = False
        self.quit_issued = False
        self._child = child
        self._session = session
        self._trace = trace
        self._wakeup = asyncio.Event()

    @classmethod
    async def launch(
        cls,
        name: str,
        argv: Sequence[str],
        processes: ChildProcesses,
        trace: Trace,
        logs: Path,
        *,
        daemon: bool = False,
        listens: bool = False,
    ) -> Machine:
        """Start `argv` with a QMP monitor added to it, and negotiate capabilities.

        :param logs: the directory for what it prints, as `NAME.stdout` and `NAME.stderr`.
        :param daemon: add the monitor in the words of qemu-storage-daemon.
        :param listens: add another for whoever connects to the socket `NAME.qmp` beside the case's directory.
        :raise CommandFailed: if it ends instead of greeting us; `error` sees `{"status": int, "stderr": str}`.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            shell = [f"socket,id=shell,path=../{name}.qmp,server=on,wait=off"] if listens else []
            monitors = _monitors([*shell, f"socket,id=qmp,fd={theirs.fileno()}"], daemon=daemon)
            child = processes.start([*argv, *monitors], vm=name, log=logs / name, pass_fds=[theirs.fileno()])
        session = _QmpSession(name, lambda kind, message: machine._on_message(kind, message))
        machine = cls(name, child, session, trace)
        try:
            await machine._connect(ours)
        except BaseException:
            await machine.disconnect()
            raise
        return machine

    @property
    def exitcode(self) -> int | None:
        """The exit status once it has ended, minus the signal's number if one killed it."""
        return self._child.exitcode

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return self.exitcode is None

    @property
    def exited_as_expected(self) -> bool:
        """Whether it has ended because it was meant to."""
        return self.exitcode is not None and not self.has_crashed

    @property
    def has_crashed(self) -> bool:
        """Whether it has ended although nobody asked it to, or was asked to quit and did not end well."""
        if self.exitcode is None or self.exit_expected:
            return False
        return not (self.quit_issued and self.exitcode == 0)

    @property
    def is_lost(self) -> bool:
        """Whether it has ended or hung up although nobody asked it to; how, says `exit_error`."""
        hung_up = self._session.runstate != Runstate.RUNNING
        return not (self.exit_expected or self.quit_issued) and (hung_up or self._child.has_exited)

    async def execute(self, message: JsonObject) -> JsonValue:
        """Send one QMP command as given, without an id, and return what it returns.

        :param message: `{"execute" or "exec-oob": str, "arguments": object?}`. Source: the QMP specification.
        :raise CommandFailed: if QEMU answers with an error.
        :raise MachineDied: if no answer can come any more.
        :raise StepFailed: if that is because QEMU has ended well.
        """
        try:
            return await self._session.execute_msg(Message(message, eager=False))  # type: ignore[return-value]
        except ExecuteError as error:
            reply: dict[str, object] = {"class": error.error_class, "desc": error.error.error.desc}
            command = message.get("execute", message.get("exec-oob"))
            raise CommandFailed(f"'{command}' failed with {error.error_class}: {reply['desc']}", reply) from None
        except (ExecInterruptedError, StateError, QMPError, OSError, EOFError):
            raise await self.exit_error() from None

    async def query(self, command: str, **arguments: Any) -> Any:
        """Execute one of QEMU's queries for ourselves, and return what it returns.

        :raise CommandFailed: if QEMU answers with an error.
        :raise MachineDied: if no answer can come any more.
        :raise StepFailed: if that is because QEMU has ended well.
        """
        return await self.execute({"execute": command, **({"arguments": arguments} if arguments else {})})

    async def hmp(self, line: str) -> str:
        """Run one line of the human monitor and return its output, with bare line ends.

        :raise CommandFailed: if QEMU answers with an error.
        :raise MachineDied: if no answer can come any more.
        :raise StepFailed: if that is because QEMU has ended well.
        """
        message: JsonObject = {"execute": "human-monitor-command", "arguments": {"command-line": line}}
        return str(await self.execute(message)).replace("\r\n", "\n")

    async def event_wait(self, wanted: Callable[[JsonObject], bool]) -> JsonObject:
        """Consume the first unconsumed event that is wanted, waiting for it if it has not come yet.

        :raise MachineDied: if QEMU dies first.
        :raise StepFailed: if it ends well first.
        """
        while True:
            self._wakeup.clear()
            event = self.events.take(wanted)
            if event is not None:
                self._trace.record("take", self.name, event)
                return event
            if self._session.runstate != Runstate.RUNNING:
                raise await self.exit_error()
            await self._wakeup.wait()

    def take_output(self) -> tuple[str, str]:
        """Return what QEMU has printed and complained of since this was last asked, each cut to its end.

        `qemu-io` in the human monitor prints there, not into its reply.
        """
        printed, complained = self._child.stdout.take(), self._child.stderr.take()
        self._trace.record_output(self.name, printed, complained)
        return printed, complained

    def stderr_tail(self) -> str:
        """Return the end of what QEMU wrote to standard error."""
        return self._child.stderr.tail()

    async def wait_exit(self) -> int:
        """Wait until QEMU has ended and return its status; from now on its end is no accident."""
        self.exit_expected = True
        return await self._child.wait()

    async def kill(self) -> int:
        """End QEMU with SIGKILL and return its status."""
        self.exit_expected = True
        return await self._child.kill()

    async def disconnect(self) -> None:
        """Close the session, whatever state it is in; the process is left to its `ChildProcesses`."""
        # Whatever its reader stumbled over on the wire, bytes that are no UTF-8 among it, comes out here.
        with contextlib.suppress(Exception):
            await self._session.disconnect()

    def ended_error(self) -> StepFailed:
        """Return the error for what can no longer be asked of a QEMU that has ended well."""
        return StepFailed(f"VM '{self.name}' has ended (status {self.exitcode})", hint="launch it again")

    async def exit_error(self) -> StepFailed:
        """Return the error that says how this QEMU ended, or was lost."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._child.wait(), EXIT_GRACE_S)
        if self.exitcode is None:
            return MachineDied(f"VM '{self.name}' lost its QMP session and runs on: {await self._why_lost()}", None)
        if self.exited_as_expected:
            return self.ended_error()
        return MachineDied(f"VM '{self.name}' {describe_status(self.exitcode)}", self.exitcode, hint=self.stderr_tail())

    async def _why_lost(self) -> str:
        """Return what ended the session; the library raises it as that is closed."""
        try:
            await self._session.disconnect()
        except Exception as error:
            return _reason(error)
        return "it hung up"

    async def _connect(self, ours: socket.socket) -> None:
        try:
            await self._session.connect(ours)
        except (ConnectError, AssertionError):
            # The library asserts that it is still connected once it has connected; a QEMU may hang up in between.
            ours.close()
            died = await self.exit_error()
            reply: dict[str, object] = {"status": self.exitcode, "stderr": self.stderr_tail()}
            self.exit_expected = True
            raise CommandFailed(f"{died.message} before it greeted us", reply, hint=died.hint) from None
        self._watcher = asyncio.create_task(self._watch_session())

    async def _watch_session(self) -> None:
        while self._session.runstate == Runstate.RUNNING:
            await self._session.runstate_changed()
        self._wakeup.set()

    def _on_message(self, kind: str, message: Message) -> None:
        text = _as_received(message) if kind == "recv" else ""
        self._trace.record_traffic(kind, self.name, None if text else dict(message), text)
        if kind == "recv" and "event" in message:
            event: Any = dict(message)
            self.events.append(event)
            self._wakeup.set()


def _as_received(message: Message) -> str:
    """Return a message as it came, "" if it is not plain ASCII as all that QEMU writes."""
    line = bytes(message).strip()
    return line.decode("ascii") if line.isascii() else ""


def _reason(error: Exception) -> str:
    match error:
        case DeserializationError():
            return f"it said what is no JSON: {error.raw[:SHOWN_BYTES].strip()!r}"
        case UnicodeDecodeError():
            return f"it said what is no UTF-8: {error.object[:SHOWN_BYTES].strip()!r}"
        case ValueError():
            return f"it said more than {QMP_LINE_LIMIT >> 20} MiB at once"
        case EOFError() | OSError():
            return "it hung up"
        case _:
            return f"{type(error).__name__}: {error}"


def _monitors(chardevs: Sequence[str], *, daemon: bool) -> list[str]:
    """Return the words that make a QMP monitor of each character device."""
    words = []
    for chardev in chardevs:
        mode = f"chardev={chardev.split(',')[1].removeprefix('id=')},mode=control"
        words += ["--chardev", chardev, "--monitor", mode] if daemon else ["-chardev", chardev, "-mon", mode]
    return words
