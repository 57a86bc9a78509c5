"""What each verb's argument hands to QEMU and its tools; a verb that is not here has nothing but file names."""

from __future__ import annotations

from collections.abc import Callable

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import MappingNode, Node, ScalarNode, SequenceNode
from run_scenarios.scenario.confinement.command_lines import Word, read_words
from run_scenarios.scenario.confinement.monitor import check_monitor_line, check_qemu_io
from run_scenarios.scenario.confinement.programs import (
    check_machine,
    check_qemu,
    check_qemu_img,
    check_qemu_nbd,
    check_storage_daemon,
)
from run_scenarios.scenario.confinement.qmp import check_message
from run_scenarios.scenario.confinement.values import (
    Escapes,
    check_block_option,
    check_block_options,
    check_device_options,
    check_image_name,
    iterate_scalars,
)


def find_escapes(verb: str, argument: Node) -> list[Diagnostic]:
    """Return what in a step's argument could reach outside the case's directory, as far as its values are known.

    :param verb: the verb's name; most have nothing but file names, which their schema confines.
    """
    return list(VERBS[verb](argument)) if verb in VERBS else []


def _check_launch(argument: Node) -> Escapes:
    for entry in argument if isinstance(argument, MappingNode) else ():
        if entry.key == "arguments":
            yield from _check_arguments(argument, entry.value)
        elif entry.key != "program":
            check = LAUNCH.get(entry.key, check_block_options)
            for item in entry.value if isinstance(entry.value, SequenceNode) else (entry.value,):
                yield from check(item)


def _check_arguments(argument: Node, words: Node) -> Escapes:
    program = argument.get("program") if isinstance(argument, MappingNode) else None
    is_daemon = isinstance(program, ScalarNode) and program.value == "qemu-storage-daemon"
    yield from (check_storage_daemon if is_daemon else check_qemu)(read_words(words))


def _check_machine(node: Node) -> Escapes:
    if isinstance(node, ScalarNode):
        yield from check_machine(str(node.value), node.span)


def _check_drive(drive: Node) -> Escapes:
    for key, value in iterate_scalars(drive):
        yield from check_block_option("driver" if key == "format" else key, value.value, value.span)


def _check_nbd_server(argument: Node) -> Escapes:
    if isinstance(argument, MappingNode):
        yield from check_qemu_nbd(read_words(argument.get("arguments")), _read_word(argument.get("file")))


def _read_word(node: Node | None) -> list[Word]:
    return [Word(str(node.value), node.span)] if isinstance(node, ScalarNode) else []


def _check_image_options(argument: Node) -> Escapes:
    if not isinstance(argument, MappingNode):
        return
    for key, value in iterate_scalars(argument.get("options") or MappingNode(argument.span, (), False)):
        yield from check_block_option(key, value.value, value.span)
    backing = argument.get("backing")
    if isinstance(backing, ScalarNode):
        yield from check_image_name(str(backing.value), backing.span)


def _check_io_commands(argument: Node) -> Escapes:
    commands = argument.get("commands") if isinstance(argument, MappingNode) else None
    for command in commands if isinstance(commands, SequenceNode) else ():
        if isinstance(command, ScalarNode):
            yield from check_qemu_io(str(command.value), command.span)


def _check_monitor(argument: Node) -> Escapes:
    if isinstance(argument, ScalarNode):
        yield from check_monitor_line(str(argument.value), argument.span)


LAUNCH: dict[str, Callable[[Node], Escapes]] = {
    "devices": check_device_options,
    "drives": _check_drive,
    "machine": _check_machine,
}
VERBS: dict[str, Callable[[Node], Escapes]] = {
    "qmp": check_message,
    "hmp": _check_monitor,
    "launch": _check_launch,
    "qemu-img": lambda argument: check_qemu_img(read_words(argument)),
    "qemu-io": _check_io_commands,
    "serve-nbd": _check_nbd_server,
    "create-image": _check_image_options,
    "convert-image": _check_image_options,
}
