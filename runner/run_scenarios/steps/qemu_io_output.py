"""Recognize the errors that qemu-io commands print instead of returning them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from run_scenarios.core.errors import CommandFailed
from run_scenarios.core.nodes import JsonValue

if TYPE_CHECKING:
    from run_scenarios.qemu.machine import Machine

PATTERN_MISMATCH = "Pattern verification failed"
# Source: the messages before each error return in qemu-io-cmds.c.
# Lines of `read -v`, which begin with an offset, may contain any text.
ERROR_OUTPUT = re.compile(
    r"""^(?![0-9a-f]{8,}:)
    (Parsing\ error:\ |bad\ argument\ count\ |command\ .*\ not\ found$|Could\ not\ |getlength:\ |no\ file\ open|
    .*(failed|:\ invalid\ option\ |:\ option\ requires\ |is\ not\ a\ valid\ |sector.aligned|
    cannot\ exceed|exceeds?\ |must\ be\ less\ than|can(not)?\ be\ specified|cannot\ combine|not\ supported|
    requires\ .*\ to\ be\ specified|supports\ only\ a\ single|is\ too\ large\ to\ be)).*$""",
    re.MULTILINE | re.VERBOSE,
)


USAGE = re.compile(r"[a-z_]+ \[.* -- ")
HELP_COMMAND = re.compile(r"""["\s](help|\?)\b""")
REPLY_ERROR = re.compile(r"^(?!warning: |Format specific information:)\S", re.MULTILINE)


@dataclass(frozen=True)
class QemuIoOutput:
    """The output of the monitor command `qemu-io`.

    :param line: the line of the human monitor.
    :param reply: the value that QMP returned.
    :param stdout: QEMU's standard output during the command, which has the output of most qemu-io commands.
    :param stderr: QEMU's standard error during the command.
    """

    line: str
    reply: str
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """All of the output."""
        return f"{self.stdout}{self.reply}{self.stderr}"

    @property
    def replies_error(self) -> bool:
        """Whether the reply has an error; the lines that `info` adds to it are indented."""
        return REPLY_ERROR.search(self.reply) is not None

    @property
    def reports_error(self) -> bool:
        """Whether the command printed an error, or its usage because of options that do not fit, anywhere."""
        printed = find_error_line(self.stdout) or (USAGE.match(self.stdout) and not HELP_COMMAND.search(self.line))
        return bool(self.replies_error or self.stderr or printed)


def find_error_line(output: str) -> str:
    """Return the first line in the output of qemu-io that reports an error, "" if there is none."""
    found = ERROR_OUTPUT.search(output)
    return found[0].strip() if found else ""


def is_qemu_io(line: str) -> bool:
    """Return whether a line of the human monitor is the command `qemu-io`."""
    return line.split(maxsplit=1)[:1] == ["qemu-io"]


async def send_qemu_io(machine: Machine, line: str, send: Callable[[], Awaitable[JsonValue]]) -> QemuIoOutput:
    """Run a `qemu-io` command of the human monitor and return its output.

    :param send: sends the line to the monitor.

    :raise CommandFailed: if QEMU answers with an error, or an asynchronous request of an earlier command has failed.
    """
    check_asynchronous_output(machine)
    machine.take_output()
    reply = str(await send()).replace("\r\n", "\n")
    machine.runs_asynchronous_io = machine.runs_asynchronous_io or "aio_" in line
    return QemuIoOutput(line, reply, *machine.take_output())


def check_asynchronous_output(machine: Machine) -> None:
    """Check what the requests of earlier `aio_…` commands have printed since.

    :raise CommandFailed: if a request has failed; `error` sees `{"output": str}`.
    """
    if not machine.runs_asynchronous_io:
        return
    stdout, _ = machine.take_output()
    error = find_error_line(stdout)
    if error:
        message = f"an asynchronous request of qemu-io on VM '{machine.name}' failed: {error}"
        hint = "add 'aio_flush' to the step that made the request, so that the step itself fails"
        raise CommandFailed(message, {"output": stdout.strip()}, hint=hint)
