"""Read lines of the human monitor and of qemu-io as QEMU does.

Sources: QEMU's hmp-commands.hx (the commands and what their arguments are), monitor/hmp.c (quotes and escapes),
qemu-io-cmds.c and qemu-io.c.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.source import Span
from run_scenarios.scenario.confinement.command_lines import Check, Options, Word, parse_getopt
from run_scenarios.scenario.confinement.programs import accept, check_create_options, check_drive
from run_scenarios.scenario.confinement.values import (
    INSIDE_HINT,
    Escapes,
    check_block_driver,
    check_block_option,
    check_image_name,
    names,
    refuse_unlisted,
)

MONITOR_WORD = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"?|(\S+))')
QUOTING = re.compile(r"[\"'\\]")
PATH_LIKE = re.compile(r"[/:]|\.\.|=")
ESCAPED = re.compile(r"\\(.)")
ESCAPES = {"n": "\n", "r": "\r"}


def check_socket(text: str, span: Span) -> Escapes:
    """Accept `unix:PATH` with a path inside; every other address reaches the network or another program."""
    kind, _, path = text.partition(":")
    if kind == "unix":
        yield from check_image_name(path, span)
    else:
        yield from check_block_option("host", text, span)


def check_qemu_io(text: str, span: Span) -> Escapes:
    """Find what leads outside in a command of qemu-io; its words are separated by spaces and nothing else.

    A command that is not known, and one with quotes or backslashes, may not name a file in a directory; otherwise
    qemu-io itself says what is wrong with it.
    """
    words = [Word(word, span) for word in text.split(" ") if word]
    line = parse_getopt(words[1:], QEMU_IO.get(words[0].text or "", {})) if words else None
    if line is None:
        return
    if line.problems or words[0].text not in QEMU_IO or QUOTING.search(text):
        if PATH_LIKE.search(text):
            yield Diagnostic(span, "a qemu-io command that cannot be read, with what may be a file's name", INSIDE_HINT)
        return
    yield from line.find_escapes()
    for operand in line.operands if words[0].text in OPENING else ():
        yield from check_image_name(operand.text or "", span)


def _make_letters(flags: str, values: str = "", **checks: Check) -> Options:
    return {**dict.fromkeys(flags), **dict.fromkeys(values, accept), **checks}


_READ, _WRITE = _make_letters("bCpqrv", "lPs"), _make_letters("bcCfinpqruz", "P", s=check_image_name)
_NUMBERS = _make_letters("Cmpqrvf", "P")
OPENING = frozenset({"open", "o", "file"})
QEMU_IO: Mapping[str, Options] = {
    **dict.fromkeys(names("read r readv aio_read"), _READ | _make_letters("i")),
    **dict.fromkeys(names("write w writev aio_write"), _WRITE),
    **dict.fromkeys(
        names(
            "aio_flush flush f truncate t length l info i discard d alloc a map break remove_break resume "
            "wait_break abort sigraise sleep help ? close c quit q zone_report zrp zone_open zo zone_close zc "
            "zone_finish zf zone_reset zrs zone_append zap"
        ),
        _NUMBERS | {"m": accept},
    ),
    "reopen": _make_letters("rw", "c", o=check_create_options),
    **dict.fromkeys(OPENING, _make_letters("snCrkmU", "itd", o=check_create_options)),
}


@dataclass(frozen=True)
class MonitorCommand:
    """What the arguments of a command of the human monitor are, in order, and the letters of its flags."""

    arguments: tuple[Check, ...] = ()
    flags: str = ""


def _take(count: int = 1, flags: str = "") -> MonitorCommand:
    return MonitorCommand((accept,) * count, flags)


MONITOR: Mapping[str, MonitorCommand] = {
    **dict.fromkeys(
        names("c cont nbd_server_stop q quit s stop system_powerdown system_reset system_wakeup"),
        MonitorCommand(),
    ),
    **dict.fromkeys(
        names(
            "? block_job_complete block_job_pause block_job_resume commit delvm device_del help loadvm object_del "
            "qom-list savevm"
        ),
        _take(),
    ),
    "block_job_cancel": _take(flags="f"),
    "block_job_set_speed": _take(2),
    "block_resize": _take(2),
    "block_set_io_throttle": _take(7),
    "block_stream": MonitorCommand((accept, accept, check_image_name)),
    "drive_add": MonitorCommand((accept, check_drive), "n"),
    "drive_backup": MonitorCommand((accept, check_image_name, check_block_driver), "nfc"),
    "drive_del": _take(),
    "drive_mirror": MonitorCommand((accept, check_image_name, check_block_driver), "nf"),
    "eject": _take(flags="f"),
    "i": _take(2),
    "info": _take(3),
    "nbd_server_add": _take(2, "w"),
    "nbd_server_remove": _take(flags="f"),
    "nbd_server_start": MonitorCommand((check_socket,), "aw"),
    "p": _take(9),
    "print": _take(9),
    "qemu-io": MonitorCommand((accept, check_qemu_io), "d"),
    "qom-get": _take(2),
    "snapshot_blkdev": MonitorCommand((accept, check_image_name, check_block_driver), "n"),
    "snapshot_blkdev_internal": _take(2),
    "snapshot_delete_blkdev_internal": _take(3),
}


def check_monitor_line(text: str, span: Span) -> Escapes:
    """Find what leads outside in a line of the human monitor."""
    words = _split_monitor_line(text)
    if not words:
        return
    yield from refuse_unlisted(words[0], MONITOR, "monitor command", span)
    if words[0] not in MONITOR:
        return
    command = MONITOR[words[0]]
    arguments = _skip_flags(words[1:], command.flags)
    for index, argument in enumerate(arguments):
        check = command.arguments[index] if index < len(command.arguments) else check_image_name
        yield from check(argument, span)


def _split_monitor_line(text: str) -> list[str]:
    """Return the words of a line; in double quotes a backslash escapes what follows."""
    return [
        bare if quoted is None else ESCAPED.sub(lambda match: ESCAPES.get(match[1], match[1]), quoted)
        for quoted, bare in ((match[1], match[2]) for match in MONITOR_WORD.finditer(text))
    ]


def _skip_flags(words: list[str], flags: str) -> list[str]:
    start = 0
    while start < len(words) and re.fullmatch(f"-[{flags or '-'}]", words[start]):
        start += 1
    return words[start:]
