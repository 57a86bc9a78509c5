"""Find what leads outside in a QMP command. Sources: the QAPI documents of QEMU 7.2 to 11.1."""

from __future__ import annotations

import re

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import MappingNode, Node, ScalarNode, SequenceNode
from run_scenarios.core.source import Span
from run_scenarios.scenario.confinement.monitor import check_monitor_line
from run_scenarios.scenario.confinement.values import (
    INSIDE_HINT,
    Escapes,
    check_block_driver,
    check_block_option,
    check_character_device,
    check_device_options,
    check_value,
    iterate_scalars,
    last_part,
    names,
    refuse_unlisted,
)

BLOCK_COMMANDS = re.compile(r"(x-)?block|change-backing-file$|drive-|nbd-server-|(x-)?query-|job-|transaction$")
"""Families that only use what they are told of nodes, exports and jobs; what they open is checked by its name."""
OTHER_COMMANDS = names(
    "announce-self balloon calc-dirty-rate cancel-vcpu-dirty-limit chardev-add chardev-remove chardev-"
    "send-break client_migrate_info closefd cont device-list-properties device-sync-config device_add "
    "device_del dump-guest-memory dump-skeys dumpdtb eject expire_password human-monitor-command inject-"
    "ghes-v2-error inject-nmi input-send-event memsave migrate migrate-continue migrate-incoming migrate-"
    "pause migrate-recover migrate-set-capabilities migrate-set-parameters migrate-start-postcopy "
    "migrate_cancel netdev_del object-add object-del pmemsave qmp_capabilities qom-get qom-list qom-list-"
    "get qom-list-properties qom-list-types qom-set quit remove-fd replay-break replay-delete-break "
    "replay-seek ringbuf-read ringbuf-write rtc-reset-reinjection screendump send-key set-action set-cpu-"
    "topology set-numa-node set-vcpu-dirty-limit set_link set_password snapshot-delete snapshot-load "
    "snapshot-save stop system_powerdown system_reset system_wakeup trace-event-get-state trace-event-"
    "set-state watchdog-set-action x-accel-stats x-colo-lost-heartbeat x-debug-block-dirty-bitmap-sha256 "
    "x-debug-query-block-graph x-exit-preconfig yank"
)
OUTSIDE_COMMANDS = re.compile(
    r"add-fd|add_client|change-vnc-password|chardev-change|cxl-.*|display-.*|getfd|netdev_add|request-ebpf|sev-.*|xen-.*"
)
"""Commands that use descriptors, displays, networks or devices of the host."""
OBJECT_PATHS = re.compile(r"qom-|device-sync-config$|x-query-virtio")
BITMAP_COMMANDS = re.compile(r"block-dirty-bitmap-")
CARRIES_FORMAT = frozenset({"blockdev-change-medium", "blockdev-snapshot-sync", "drive-backup", "drive-mirror"})


def check_message(message: Node) -> Escapes:
    """Find what leads outside in a QMP command, as far as it is known."""
    if not isinstance(message, MappingNode):
        return
    command = message.get("execute") or message.get("exec-oob")
    if not isinstance(command, ScalarNode):
        return
    name = str(command.value)
    yield from _check_command(name, command.span)
    arguments = message.get("arguments")
    if arguments is not None:
        yield from _check_arguments(name, arguments)


def _check_command(name: str, span: Span) -> Escapes:
    if OUTSIDE_COMMANDS.fullmatch(name):
        yield Diagnostic(span, f"'{name}' may reach outside the case's directory", INSIDE_HINT)


def check_offered_command(name: str, span: Span) -> Escapes:
    """Refuse a command that the QEMU under test has and that is on neither list: a new one, which may do anything."""
    if not BLOCK_COMMANDS.match(name) and not OUTSIDE_COMMANDS.fullmatch(name):
        yield from refuse_unlisted(name, OTHER_COMMANDS, "QMP command", span)


def _check_arguments(name: str, arguments: Node) -> Escapes:
    if name == "device_add":
        yield from check_device_options(arguments)
    elif name == "transaction":
        yield from _check_actions(arguments)
    elif name == "human-monitor-command":
        yield from _check_monitor(arguments)
    else:
        for key, value in iterate_scalars(arguments):
            yield from _check_argument(name, key, value)


def _check_argument(name: str, key: str, value: ScalarNode) -> Escapes:
    if key == "format" and name in CARRIES_FORMAT:
        yield from check_block_driver(str(value.value), value.span)
    elif key == "backend.type" and name == "chardev-add":
        yield from check_character_device(str(value.value), value.span)
    elif (OBJECT_PATHS.match(name) and key == "path") or (BITMAP_COMMANDS.match(name) and last_part(key) == "target"):
        return
    elif BLOCK_COMMANDS.match(name) or last_part(key) != "driver":
        yield from check_block_option(key, value.value, value.span)
    else:
        yield from check_value(key, value.value, value.span)


def _check_monitor(arguments: Node) -> Escapes:
    for key, value in iterate_scalars(arguments):
        if key == "command-line":
            yield from check_monitor_line(str(value.value), value.span)


def _check_actions(arguments: Node) -> Escapes:
    """Check each action of a transaction as the command of its name."""
    actions = arguments.get("actions") if isinstance(arguments, MappingNode) else None
    for action in actions if isinstance(actions, SequenceNode) else ():
        kind = action.get("type") if isinstance(action, MappingNode) else None
        data = action.get("data") if isinstance(action, MappingNode) else None
        if data is not None:
            yield from _check_arguments(str(kind.value) if isinstance(kind, ScalarNode) else "", data)
