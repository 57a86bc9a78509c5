"""A QEMU or qemu-storage-daemon under test: its process, its QMP session and its events.

QMP travels over an inherited socket pair, so that there is no socket path, and no race when QEMU starts.
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

from run_scenarios.core.errors import CommandFailed, MachineDied, MachineEnded, StepFailed
from run_scenarios.core.exit_status import describe_status
from run_scenarios.core.nodes import JsonObject, JsonValue
from run_scenarios.qemu.event_log import EventLog, JobRun
from run_scenarios.qemu.process import Child, ChildProcesses
from run_scenarios.qemu.trace import Trace

EXIT_GRACE_S = 5.0
QMP_LINE_LIMIT = 8 << 20
SHOWN_BYTES = 200
HUNG_UP = "it closed the connection"

# The step that meets an error reports it; the library would print it a second time.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)


class _QmpSession(QMPClient):
    """A QMP client that passes every message to a hook.

    :param message_hook: called with "send" or "recv" and the message.
    """

    def __init__(self, name: str, message_hook: Callable[[str, Message], None]) -> None:
        super().__init__(name, readbuflen=QMP_LINE_LIMIT)
        self._message_hook = message_hook
        # The default listener would queue every event a second time; it cannot be removed.
        self.events.event_filter = lambda event: False

    def _cb_outbound(self, msg: Message) -> Message:
        self._message_hook("send", msg)
        return msg

    def _cb_inbound(self, msg: Message) -> Message:
        self._message_hook("recv", msg)
        return msg


class Machine:
    """A QEMU process with its QMP session; create one with `launch`.

    :ivar exit_expected: set once its exit, whatever the status, is part of the scenario.
    :ivar quit_issued: set once it was asked to quit, so that it may exit with status 0.
    """

    def __init__(self, name: str, child: Child, session: _QmpSession, trace: Trace) -> None:
        self.name = name
        self.events = EventLog(name)
        self.exit_expected = False
        self.quit_issued = False
        self.runs_asynchronous_io = False
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
        monitor_objects: bool = False,
        allow_shell: bool = False,
    ) -> Machine:
        """Start `argv` with a QMP monitor added to it, and negotiate capabilities.

        :param logs: the directory for its output, `NAME.stdout` and `NAME.stderr`.
        :param daemon: whether `argv` is a qemu-storage-daemon.
        :param monitor_objects: whether it takes a monitor as an object.
        :param allow_shell: also listen for a second QMP client on the socket `NAME.qmp` next to the case's directory.
        :raise CommandFailed: if it exits before its greeting; `error` sees `{"status": int, "stderr": str}`.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            shell = [f"socket,id=shell,path=../{name}.qmp,server=on,wait=off"] if allow_shell else []
            chardevs = [*shell, f"socket,id=qmp,fd={theirs.fileno()}"]
            monitors = _monitor_arguments(chardevs, daemon=daemon, as_objects=monitor_objects)
            try:
                child = processes.start([*argv, *monitors], vm=name, log=logs / name, pass_fds=[theirs.fileno()])
            except BaseException:
                ours.close()
                raise
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
        """The exit status, or minus the number of the signal that killed it; None while it runs."""
        return self._child.exitcode

    @property
    def is_running(self) -> bool:
        """Whether its process has not been reaped yet."""
        return self.exitcode is None

    @property
    def exited_as_expected(self) -> bool:
        """Whether it has exited as the scenario asked it to."""
        return not self.is_running and not self.has_crashed

    @property
    def has_crashed(self) -> bool:
        """Whether it has exited without being asked to, or was asked to quit and failed."""
        if self.is_running or self.exit_expected:
            return False
        return not (self.quit_issued and self.exitcode == 0)

    @property
    def is_lost(self) -> bool:
        """Whether it has exited or hung up without being asked to; `exit_error` says which."""
        hung_up = self._session.runstate != Runstate.RUNNING
        return not (self.exit_expected or self.quit_issued) and (hung_up or self._child.has_exited)

    async def execute(self, message: JsonObject) -> JsonValue:
        """Send one QMP command as given, without an id, and return its return value.

        :param message: `{"execute" or "exec-oob": str, "arguments": object?}`. Source: the QMP specification.
        :raise CommandFailed: if QEMU answers with an error.
        :raise MachineDied: if QEMU dies or hangs up first.
        :raise StepFailed: if QEMU has exited as expected.
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
        """Send a QMP command on the runner's own behalf, and return its return value.

        :raise CommandFailed: if QEMU answers with an error.
        :raise MachineDied: if QEMU dies or hangs up first.
        :raise StepFailed: if QEMU has exited as expected.
        """
        return await self.execute({"execute": command, **({"arguments": arguments} if arguments else {})})

    async def hmp(self, line: str) -> str:
        """Run one line of the human monitor and return its output, with "\\n" as line ends.

        :raise CommandFailed: if QEMU answers with an error.
        :raise MachineDied: if QEMU dies or hangs up first.
        :raise StepFailed: if QEMU has exited as expected.
        """
        message: JsonObject = {"execute": "human-monitor-command", "arguments": {"command-line": line}}
        return str(await self.execute(message)).replace("\r\n", "\n")

    async def event_wait(self, matches: Callable[[JsonObject], bool], after: str = "") -> JsonObject:
        """Consume the first event that matches, waiting for it if necessary.

        :param after: the name of an event of which the last must have come before; "" for no such condition.
        :raise MachineDied: if QEMU dies or hangs up first.
        :raise StepFailed: if QEMU exits as expected first, or events were lost.
        """
        examined = 0

        def take() -> JsonObject | None:
            nonlocal examined
            event = self.events.take(matches, after, examined)
            examined = self.events.last_number
            return event

        return await self._wait_for(take)

    async def job_event_wait(self, run: JobRun) -> JsonObject:
        """Consume the next event of a job's run, waiting for it if necessary; errors as for `event_wait`."""
        return await self._wait_for(lambda: self.events.take_of_job(run))

    async def _wait_for(self, take: Callable[[], JsonObject | None]) -> JsonObject:
        while True:
            self._wakeup.clear()
            event = take()
            if event is not None:
                self._trace.record("take", self.name, event)
                return event
            if self._session.runstate != Runstate.RUNNING:
                raise await self.exit_error()
            await self._wakeup.wait()

    def take_output(self) -> tuple[str, str]:
        """Return what QEMU has written to stdout and stderr since the last call.

        `qemu-io` in the human monitor prints there, not into its reply.
        """
        stdout, stderr = self._child.stdout.take(), self._child.stderr.take()
        self._trace.record_output(self.name, stdout, stderr)
        return stdout, stderr

    def stderr_tail(self) -> str:
        """Return the end of what QEMU has written to stderr."""
        return self._child.stderr.tail()

    async def wait_exit(self) -> int:
        """Wait for QEMU to exit and return its exit status; any exit is expected from now on."""
        self.exit_expected = True
        return await self._child.wait()

    async def kill(self) -> int:
        """Kill QEMU with SIGKILL and return its exit status."""
        self.exit_expected = True
        return await self._child.kill()

    async def disconnect(self) -> None:
        """Close the QMP session in whatever state it is; the process is left to its `ChildProcesses`."""
        # The library raises here what its reader met before, invalid UTF-8 for example.
        with contextlib.suppress(Exception):
            await self._session.disconnect()

    def ended_error(self) -> StepFailed:
        """Return the error for using a QEMU that has exited as expected."""
        return MachineEnded(f"VM '{self.name}' has ended (status {self.exitcode})", hint="launch it again")

    async def exit_error(self) -> StepFailed:
        """Return the error that says how this QEMU exited or was lost."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._child.wait(), EXIT_GRACE_S)
        if self.exitcode is None:
            reason = await self._disconnect_reason()
            message = f"VM '{self.name}' closed its QMP session and is still running: {reason}"
            return MachineDied(message, None, program=self.name)
        if self.exited_as_expected:
            return self.ended_error()
        message = f"VM '{self.name}' {describe_status(self.exitcode)}"
        return MachineDied(message, self.exitcode, program=self.name, hint=self.stderr_tail())

    async def _disconnect_reason(self) -> str:
        """Return what ended the session; the library raises it when the session is closed."""
        try:
            await self._session.disconnect()
        except Exception as error:
            return _describe_session_error(error)
        return HUNG_UP

    async def _connect(self, ours: socket.socket) -> None:
        try:
            await self._session.connect(ours)
        except (ConnectError, AssertionError):
            # The library asserts that it is still connected once it has connected; QEMU may hang up in between.
            ours.close()
            died = await self.exit_error()
            reply: dict[str, object] = {"status": self.exitcode, "stderr": self.stderr_tail()}
            self.exit_expected = True
            raise CommandFailed(f"{died.message} before its QMP greeting", reply, hint=died.hint) from None
        self._watcher = asyncio.create_task(self._watch_session())

    async def _watch_session(self) -> None:
        while self._session.runstate == Runstate.RUNNING:
            await self._session.runstate_changed()
        self._wakeup.set()

    def _on_message(self, kind: str, message: Message) -> None:
        data: Any = dict(message)
        self._trace.record_traffic(kind, self.name, data, len(bytes(message)))
        if kind == "recv" and "event" in data:
            self.events.append(data)
            self._wakeup.set()


def _describe_session_error(error: Exception) -> str:
    match error:
        case DeserializationError():
            return f"it sent invalid JSON: {error.raw[:SHOWN_BYTES].strip()!r}"
        case UnicodeDecodeError():
            return f"it sent invalid UTF-8: {error.object[:SHOWN_BYTES].strip()!r}"
        case ValueError():
            return f"it sent a line of more than {QMP_LINE_LIMIT >> 20} MiB"
        case EOFError() | OSError():
            return HUNG_UP
        case _:
            return f"{type(error).__name__}: {error}"


def _monitor_arguments(chardevs: Sequence[str], *, daemon: bool, as_objects: bool) -> list[str]:
    """Return the arguments that add a QMP monitor on each character device."""
    dashes, option = ("--", "monitor") if daemon else ("-", "mon")
    arguments = []
    for chardev in chardevs:
        name = chardev.split(",")[1].removeprefix("id=")
        arguments += [f"{dashes}chardev", chardev]
        if as_objects:
            arguments += [f"{dashes}object", f"monitor-qmp,id={name}-monitor,chardev={name}"]
        else:
            arguments += [f"{dashes}{option}", f"chardev={name},mode=control"]
    return arguments
