"""Run commands of the human monitor, and recognize the errors that they print instead of returning them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from run_scenarios.core.errors import CommandFailed
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.qemu_io_output import find_error_line, is_qemu_io, send_qemu_io

if TYPE_CHECKING:
    from run_scenarios.qemu.machine import Machine

# Source: monitor/hmp.c, and the messages of the commands that also print something else if they succeed.
ERROR_LINE = re.compile(
    r"""^(Error: |unknown command: |Try "help |unknown event |invalid |Incorrect |Could not |Can not dump without CPU"""
    r"""|No memory is mapped|No cpu|No CPU|Memory at address|unsupported bus type|Can't |user mode network stack """
    r"""|no function defined to set|gdbstub: |id or pci device path is invalid|Device '.*' not found$)"""
    r"""|: Cannot access memory$| is not available in this QEMU$""",
    re.MULTILINE,
)
UNKNOWN_COMMAND = re.compile("unknown command: ")
NOTICE = re.compile(r"(warning|info): ")
HELP_WORD = re.compile(r"(^|[ ,])(help|\?)$")
# Source: hmp-commands.hx and the handlers that it names.
SILENT_COMMAND = re.compile(
    r"""announce_self|balloon|block_(resize|set_io_throttle|stream)|block_job_(cancel|complete|pause|resume|set_speed)|
    change|chardev-(add|change|remove|send-break)|client_migrate_info|closefd|commit|cont|c|cpu|delvm|device_(add|del)|
    drive_(backup|del|mirror)|dump-guest-memory|eject|exit_preconfig|expire_password|getfd|hostfwd_add|loadvm|
    log|logfile|mce|memsave|migrate_(cancel|continue|incoming|pause|recover|set_capability|set_parameter)|
    migrate_start_postcopy|mouse_(button|move|set)|nbd_server_(add|remove|start|stop)|netdev_(add|del)|nmi|o|
    object_(add|del)|one-insn-per-tb|pmemsave|qom-set|quit|q|replay_(break|delete_break|seek)|ringbuf_write|savevm|
    screendump|sendkey|set_link|set_password|singlestep|snapshot_blkdev|snapshot_blkdev_internal|
    snapshot_delete_blkdev_internal|stop|s|stopcapture|system_(powerdown|reset|wakeup)|trace-event|watchdog_action|
    wavcapture|x_colo_lost_heartbeat|xen-event-inject""",
    re.VERBOSE,
)
"""Commands that print nothing if they succeed, apart from warnings and help."""


async def run_monitor_command(machine: Machine, line: str) -> str:
    """Run one line of the human monitor and return its output.

    :raise CommandFailed: if the output reports an error; `error` sees `{"output": str}`.
    """
    if is_qemu_io(line):
        return await run_qemu_io_line(machine, line, lambda: machine.hmp(line))
    output = await machine.hmp(line)
    if reports_error(line, output):
        raise CommandFailed(f"'{line}' failed: {output.strip()}", {"output": output.strip()})
    return output


async def run_qemu_io_line(machine: Machine, line: str, send: Callable[[], Awaitable[JsonValue]]) -> str:
    """Run one `qemu-io` command of the human monitor and return its output.

    :param send: sends the line to the monitor.
    :raise CommandFailed: if the output reports an error; `error` sees `{"output": str}`.
    """
    output = await send_qemu_io(machine, line, send)
    if output.reports_error:
        text = output.text.strip()
        raise CommandFailed(f"'{line}' failed: {find_error_line(text) or text}", {"output": text})
    return output.text


def reports_error(line: str, output: str) -> bool:
    """Return whether the output of a line of the human monitor is an error."""
    if ERROR_LINE.search(output):
        return True
    command = line.split(maxsplit=1)[0] if line.strip() else ""
    if not SILENT_COMMAND.fullmatch(command) or HELP_WORD.search(line.strip()):
        return False
    return any(not NOTICE.match(printed) for printed in output.splitlines())
