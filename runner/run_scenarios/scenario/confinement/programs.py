"""What the words of each program's command line are: options, operands, and the lists that some options take.

Sources: QEMU's qemu-options.hx, storage-daemon/qemu-storage-daemon.c, qemu-img.c and qemu-nbd.c of 7.2 to 11.1. An
option that is in no table is refused. Where releases differ in what an option takes, the table has all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import from_json
from run_scenarios.core.source import Span
from run_scenarios.scenario.confinement.command_lines import (
    Check,
    CommandLine,
    Options,
    Word,
    allow_json,
    check_block_list,
    check_device_list,
    check_object_list,
    make_option_list_check,
    parse_getopt,
    parse_qemu,
)
from run_scenarios.scenario.confinement.values import (
    Escapes,
    check_block_driver,
    check_block_option,
    check_character_device,
    check_device_options,
    check_image_name,
    check_json,
    names,
    refuse_unlisted,
)


def accept(text: str, span: Span) -> Escapes:
    """Accept a number, a mode, or a name that QEMU looks up among its own."""
    return iter(())


def _check_device_json(text: str, span: Span) -> Escapes:
    try:
        yield from check_device_options(from_json(json.loads(text), span))
    except (ValueError, RecursionError):
        yield Diagnostic(span, "invalid JSON", "use double quotes, and no comma at the end")


def _check_global(text: str, span: Span) -> Escapes:
    """Check `driver.property=value`, where the value may have commas, and `driver=…,property=…,value=…`."""
    yield from check_image_name(text.partition("=")[2], span)
    yield from check_machine(text, span)


check_machine = make_option_list_check("type", {}, check_block_option)
check_block = allow_json(check_block_list, check_json)
check_object = allow_json(check_object_list, check_json)
check_device = allow_json(check_device_list, _check_device_json)
check_export = allow_json(make_option_list_check("type", {}, check_block_option), check_json)
check_server = allow_json(make_option_list_check("", {}, check_block_option), check_json)
check_incoming = allow_json(check_image_name, check_json)
check_drive = make_option_list_check("", {"file": check_image_name, "format": check_block_driver}, check_block_option)
check_chardev = make_option_list_check("backend", {"backend": check_character_device}, check_block_option)
check_trace = make_option_list_check("enable", {"enable": accept})
check_create_options = make_option_list_check("", {}, check_block_option)

QEMU: Options = {
    **dict.fromkeys(
        names("S mem-prealloc no-acpi no-hpet no-reboot no-shutdown no-user-config nodefaults only-migratable snapshot")
    ),
    **dict.fromkeys(names("M machine"), check_machine),
    **dict.fromkeys(names("cdrom hda hdb hdc hdd D"), check_image_name),
    **dict.fromkeys(
        names("action cpu d m msg name overcommit rtc seed smp uuid vga"),
        make_option_list_check("", {}),
    ),
    "accel": make_option_list_check("accel", {}),
    "blockdev": check_block,
    "boot": make_option_list_check("order", {}),
    "chardev": check_chardev,
    "device": check_device,
    "drive": check_drive,
    "global": _check_global,
    "icount": make_option_list_check("shift", {}),
    "incoming": check_incoming,
    "object": check_object,
    "trace": check_trace,
}
STORAGE_DAEMON: Options = {
    "T": check_trace,
    "blockdev": check_block,
    "chardev": check_chardev,
    "export": check_export,
    "nbd-server": check_server,
    "object": check_object,
    "trace": check_trace,
}
QEMU_NBD: Options = {
    **dict.fromkeys(
        names("A L allocation-depth image-opts list n nocache persistent r read-only s snapshot t v verbose")
    ),
    **dict.fromkeys(
        names("B D bitmap description e export-name l load-snapshot o offset shared x"),
        accept,
    ),
    **dict.fromkeys(
        names("aio cache detect-zeroes discard handshake-limit tls-authz tls-creds tls-hostname"),
        accept,
    ),
    **dict.fromkeys(names("f format"), check_block_driver),
    **dict.fromkeys(names("T trace"), check_trace),
    "object": check_object,
}


def _tabulate(flags: str = "", **checks: str) -> Options:
    """Return a table of options: flags, and those that take an image, a block driver, or what cannot lead outside."""
    kinds: dict[str, Check] = {"image": check_image_name, "driver": check_block_driver, "value": accept}
    every = names("h help U force-share image-opts q quiet p progress") | names(flags)
    table: dict[str, Check | None] = dict.fromkeys(every)
    table["object"] = check_object
    for kind, options in checks.items():
        table |= dict.fromkeys(names(options), kinds[kind])
    return table


def _with_create_options(table: Options, *options: str) -> Options:
    return {**table, **dict.fromkeys(options, check_create_options)}


QEMU_IMG_ITSELF: Options = {
    **dict.fromkeys(names("V h help version")),
    **dict.fromkeys(names("T trace"), check_trace),
}
QEMU_IMG: Mapping[str, Options] = {
    "amend": _with_create_options(_tabulate("force", driver="f format", value="t cache"), "o", "options"),
    "bench": _tabulate(
        "n native no-drain w write",
        driver="f format",
        value="S aio buffer-size c cache count d depth flush-interval i o offset pattern s step-size t",
    ),
    "bitmap": _tabulate(
        "add clear disable enable remove",
        driver="F f format source-format",
        image="b source-file",
        value="g granularity merge",
    ),
    "check": _tabulate(driver="f format", value="T cache output r repair"),
    "commit": _tabulate("d drop", driver="f format", image="b base", value="cache r rate-limit t"),
    "compare": _tabulate("s strict", driver="F a-format b-format f", value="T cache"),
    "convert": _with_create_options(
        _tabulate(
            "C W bitmaps c compress copy-range-offloading n no-create oob-writes salvage skip-broken-bitmaps "
            "target-image-opts target-is-zero",
            driver="F O backing-format f source-format target-format",
            image="B b backing",
            value="S T l m parallel r rate-limit snapshot source-cache sparse-size t target-cache",
        ),
        "o",
        "target-format-options",
    ),
    "create": _with_create_options(
        _tabulate("backing-unsafe u", driver="B F backing-format f format", image="b backing"), "o", "options"
    ),
    "dd": _tabulate(driver="O f"),
    "info": _tabulate("backing-chain limits", driver="f format", value="cache output t"),
    "map": _tabulate(driver="f format", value="l max-length output s start-offset"),
    "measure": _with_create_options(
        _tabulate(
            "source-image-opts",
            driver="O f format source-format target-format",
            value="l output s size snapshot",
        ),
        "o",
        "options",
        "target-format-options",
    ),
    "rebase": _tabulate(
        "backing-unsafe c compress u",
        driver="B F backing-format f format",
        image="b backing",
        value="T backing-cache cache t",
    ),
    "resize": _tabulate("shrink", driver="f format", value="preallocation"),
    "snapshot": _tabulate("l list", driver="f format", value="a apply c create d delete"),
}
NAMES_AFTER_THE_IMAGE = {"bitmap": 1, "resize": 1, "create": 1}
"""How many operands after the image are the name of a bitmap or a size."""
DD_OPERANDS: Mapping[str, Check] = {"if": check_image_name, "of": check_image_name}
IMAGE_OPTIONS = ("image-opts", "source-image-opts")


def check_qemu(words: Sequence[Word]) -> Escapes:
    """Find what leads outside in further words of a qemu-system command line."""
    line = parse_qemu(words, QEMU)
    yield from line.find_escapes()
    yield from _check_operands(line.operands, check_image_name)


def check_storage_daemon(words: Sequence[Word]) -> Escapes:
    """Find what leads outside in further words of qemu-storage-daemon's command line."""
    line = parse_getopt(words, STORAGE_DAEMON)
    yield from line.find_escapes()
    yield from _check_operands(line.operands, check_image_name)


def check_qemu_nbd(words: Sequence[Word], image: Sequence[Word]) -> Escapes:
    """Find what leads outside in further words of qemu-nbd's command line.

    :param image: the operand that the verb adds.
    """
    line = parse_getopt(words, QEMU_NBD)
    yield from line.find_escapes()
    yield from _check_operands((*line.operands, *image), _image_check(line))


def check_qemu_img(words: Sequence[Word]) -> Escapes:
    """Find what leads outside in the words of a qemu-img command line, its subcommand first."""
    start = parse_getopt(words, QEMU_IMG_ITSELF, stop_at_operand=True)
    yield from start.find_escapes()
    if not start.operands or start.operands[0].text is None:
        return
    command, rest = start.operands[0], start.operands[1:]
    assert command.text is not None
    yield from refuse_unlisted(command.text, QEMU_IMG, "qemu-img subcommand", command.span)
    if command.text not in QEMU_IMG:
        return
    line = parse_getopt(rest, QEMU_IMG[command.text])
    yield from line.find_escapes()
    if command.text == "dd":
        yield from _check_dd_operands(line.operands)
    elif command.text == "convert" and line.has("target-image-opts"):
        yield from _check_operands(line.operands[:-1], _image_check(line))
        yield from _check_operands(line.operands[-1:], check_create_options)
    else:
        images = line.operands[: -NAMES_AFTER_THE_IMAGE.get(command.text, 0) or None] or line.operands[:1]
        yield from _check_operands(images, _image_check(line))


def _image_check(line: CommandLine) -> Check:
    return check_create_options if line.has(*IMAGE_OPTIONS) else check_image_name


def _check_operands(operands: Sequence[Word], check: Check) -> Iterator[Diagnostic]:
    for word in operands:
        if word.text is not None:
            yield from check(word.text, word.span)


def _check_dd_operands(operands: Sequence[Word]) -> Escapes:
    for word in operands:
        if word.text is None:
            continue
        key, _, value = word.text.partition("=")
        if key in DD_OPERANDS:
            yield from DD_OPERANDS[key](value, word.span)
        else:
            yield from check_image_name(word.text, word.span)
