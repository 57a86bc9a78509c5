"""What a step may reach: the files of its case's own directory, and nothing else. Imports inside and nodes.

Every string that QEMU or a tool is given, in whatever slot, must not be the name of something outside: no absolute
path, no `..`, no protocol. That asks for no list of the slots that hold file names, so it holds for commands of a QEMU
newer than this too. What reaches outside without such a string is told by its kind: block drivers, objects, devices,
commands of the human monitor and options of a command line; there, what is not known to stay inside is refused.

What this cannot see is said in SECURITY.md.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.nodes import MappingNode, Node, ScalarNode, SequenceNode, from_json
from run_scenarios.core.source import Span
from run_scenarios.scenario.allow_lists import (
    ADDRESSES_OUTSIDE,
    BLOCK_COMMANDS,
    COMMANDS_OUTSIDE,
    HOST_DEVICE,
    KINDS,
    MONITOR_COMMANDS,
    NAMES,
    OBJECT_PATHS,
    OPTIONS,
)
from run_scenarios.syntax.file_names import LOCAL_HINT, PLAIN_NAME, find_name_problem

KIND_HINT = "a scenario stays in the case's own directory; to leave it, see --allow-outside"
# The protocols that a relative name can follow, and that then stay in the directory. Nothing is percent-encoded.
LOCAL = re.compile(r"nbd\+unix://[^?&%]*\?socket=([^&%]+)|(?:nbd:)?unix:([^:]+)(?::exportname=.*)?|file:([^:]+)")
ADDRESS = frozenset({"host", "port", "type", "transport"})
GLUED = re.compile(r"-[A-Za-z0-9].*[=/:]")

Findings = Iterator[Diagnostic]


def reaches_outside(verb: str, argument: Node) -> list[Diagnostic]:
    """Return what in a step's argument could reach outside the case's directory, as far as its values are known.

    :param verb: the verb's name; most have nothing but file names, which their schema confines.
    """
    return list(VERBS[verb](argument)) if verb in VERBS else []


def link_outside(directory: Path) -> str:
    """Return a symbolic link in a directory that leads out of it, "" if there is none.

    :raise OSError: if the directory cannot be read.
    """
    for link in _links(os.fspath(directory)):
        if not Path(os.path.realpath(link)).is_relative_to(os.path.realpath(directory)):
            return os.path.relpath(link, directory)
    return ""


def _links(directory: str) -> Iterator[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_symlink():
                yield entry.path
            elif entry.is_dir():
                yield from _links(entry.path)


def _qmp(argument: Node) -> Findings:
    if not isinstance(argument, MappingNode):
        return
    command = argument.get("execute") or argument.get("exec-oob")
    name = command.value if isinstance(command, ScalarNode) else None
    arguments = argument.get("arguments")
    if command is not None and name in COMMANDS_OUTSIDE:
        yield Diagnostic(command.span, f"'{name}' may reach outside the case's directory", KIND_HINT)
    if name is not None and arguments is not None:
        yield from _command(str(name), arguments)


def _command(name: str, arguments: Node) -> Findings:
    kind, is_line = _carried_by(name), name == "human-monitor-command"
    through_objects = name in OBJECT_PATHS or name.startswith("x-query-virtio")
    for key, node in _values(arguments):
        if is_line and key == "command-line":
            yield from _monitor(node)
        elif not (through_objects and key == "path"):
            yield from _pair(key, node.value, node.span, kind)


def _carried_by(command: str) -> str:
    """Return what a `driver` among a command's arguments names; "" for a command that takes none, or is misspelt."""
    if command == "device_add":
        return "device"
    return "block" if BLOCK_COMMANDS.match(command) else ""


def _values(node: Node, key: str = "") -> Iterator[tuple[str, ScalarNode]]:
    """Yield every value that is known in a node, with its key; the items of a list have that of the list."""
    left: list[tuple[str, Node]] = [(key, node)]
    while left:
        key, node = left.pop()
        if isinstance(node, ScalarNode):
            yield key, node
        elif isinstance(node, MappingNode):
            left += [(entry.key, entry.value) for entry in reversed(node.entries)]
        elif isinstance(node, SequenceNode):
            left += [(key, item) for item in reversed(node.items)]


def _block(node: Node) -> Findings:
    for key, value in _values(node):
        yield from _pair(key, value.value, value.span, "block")


def _devices(node: Node) -> Findings:
    for key, value in _values(node):
        yield from _pair(key, value.value, value.span, "device")


def _pair(key: str, value: object, span: Span, kind: str) -> Iterable[Diagnostic]:
    """Return what is wrong with one value, by the last part of its key, as in `file.server.host`.

    :param kind: whose properties these are: those of a guest "device", or of a "block" node, an object, an address.
    """
    last = key.rpartition(".")[2]
    if last == "driver":
        return _kind(str(value), span, kind)
    if last == "qom-type":
        return _kind(str(value), span, "object")
    if kind != "device" and last in ADDRESS and _is_address_outside(last, value):
        return [Diagnostic(span, f"'{last}: {value}' reaches the network, or another program", KIND_HINT)]
    if isinstance(value, str) and last not in NAMES and not PLAIN_NAME.fullmatch(value):
        return _text(value, span)
    return ()


def _is_address_outside(key: str, value: object) -> bool:
    return key in ("host", "port") or value in ADDRESSES_OUTSIDE


def _kind(name: str, span: Span, kind: str) -> Findings:
    if kind == "device" and HOST_DEVICE.search(name):
        yield Diagnostic(span, f"the device '{name}' reaches outside the case's directory", KIND_HINT)
    elif kind == "device":
        yield from _text(name, span)
    elif kind in KINDS:
        what, known = KINDS[kind]
        yield from _unless_known(name, known, what, span)


def _unless_known(name: str, known: Iterable[str], what: str, span: Span) -> Findings:
    if name not in known:
        message = f"'{name}' is no {what} that is known to stay in the case's directory"
        yield Diagnostic(span, message, did_you_mean(name, known, KIND_HINT))


def _text(text: str, span: Span) -> Findings:
    local = LOCAL.fullmatch(text)
    problem = find_name_problem(next(filter(None, local.groups())) if local else text)
    if problem:
        yield Diagnostic(span, problem, LOCAL_HINT)


def _monitor(node: Node) -> Findings:
    """The line of the human monitor; what quotes and backslashes hide is looked at without them."""
    if not isinstance(node, ScalarNode):
        return
    words = re.sub(r"[\"'\\]", "", str(node.value)).split()
    for word in words[:1]:
        yield from _unless_known(word, MONITOR_COMMANDS, "command of the human monitor", node.span)
    yield from _words((word, node.span) for word in words[1:])


def _line(node: Node) -> Findings:
    """A command line written as one string."""
    if isinstance(node, ScalarNode):
        yield from _words((word, node.span) for word in str(node.value).split())


def _argv(node: Node) -> Findings:
    yield from _words(_scalars(node))


def _scalars(node: Node | None) -> Iterator[tuple[str, Span]]:
    """Yield the words of a list; one that is not known yet is an empty word, which is nothing's name."""
    for item in node if isinstance(node, SequenceNode) else ():
        yield (str(item.value) if isinstance(item, ScalarNode) else ""), item.span


def _words(words: Iterable[tuple[str, Span]]) -> Findings:
    """Yield what is wrong with the words of a command line, each told by the option before it."""
    kind = "block"
    for word, span in words:
        option = word.startswith("-")
        if option and word[1:2] != "-" and GLUED.match(word):
            yield Diagnostic(span, f"'{word}' is an option and its value in one", "write them as two words")
            continue
        name, _, value = word.partition("=") if option else ("", "", word)
        kind = {"device": "device", "object": "object"}.get(name.lstrip("-"), "block") if option else kind
        yield from _word(value, span, kind)
        kind = kind if option else "block"


def _word(word: str, span: Span, kind: str) -> Findings:
    """Yield what is wrong with a word: a name, a JSON object, or options as QEMU takes them, `a,key=value,…`."""
    if word.startswith("{"):
        yield from _json(word, span, kind)
        return
    for index, part in enumerate(word.split(",")):
        key, equals, value = part.partition("=")
        if index == 0 and not equals and part and kind != "block":
            yield from _kind(part, span, kind)
        else:
            yield from _text(part, span)
            if equals and not LOCAL.fullmatch(part):
                yield from _pair(key, value, span, "device" if kind == "device" else "block")


def _json(word: str, span: Span, kind: str) -> Findings:
    try:
        node = from_json(json.loads(word), span)
    except (ValueError, RecursionError):
        yield Diagnostic(span, "this looks like JSON, and is none", "use double quotes, and no comma at the end")
        return
    yield from _devices(node) if kind == "device" else _block(node)


def _options(verb: str, node: Node | None) -> Findings:
    """Yield what is wrong with further words of a command line, where only options that stay inside are let through."""
    words = list(_scalars(node))
    for word, span in words:
        name = word.lstrip("-").partition("=")[0]
        if word.startswith("-"):
            yield from _unless_known(name, OPTIONS[verb], "option", span)
    yield from _words(words)


def _launch(argument: Node) -> Findings:
    for entry in argument if isinstance(argument, MappingNode) else ():
        match entry.key:
            case "arguments":
                yield from _options("launch", entry.value)
            case "machine":
                yield from _line(entry.value)
            case "devices":
                yield from _devices(entry.value)
            case "program":
                continue
            case _:
                yield from _block(entry.value)


def _serve_nbd(argument: Node) -> Findings:
    if isinstance(argument, MappingNode):
        yield from _options("serve-nbd", argument.get("arguments"))


def _image_options(argument: Node) -> Findings:
    options = argument.get("options") if isinstance(argument, MappingNode) else None
    for _, value in _values(options) if options is not None else ():
        if isinstance(value.value, str):
            yield from _text(value.value, value.span)


def _io_commands(argument: Node) -> Findings:
    commands = argument.get("commands") if isinstance(argument, MappingNode) else None
    for command in commands if isinstance(commands, SequenceNode) else ():
        yield from _line(command)


VERBS: dict[str, Callable[[Node], Findings]] = {
    "qmp": _qmp,
    "hmp": _monitor,
    "launch": _launch,
    "qemu-img": _argv,
    "qemu-io": _io_commands,
    "serve-nbd": _serve_nbd,
    "create-image": _image_options,
    "convert-image": _image_options,
}
