"""Steps that name a file outside their directory, each of which must be refused."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from run_scenarios.core.nodes import JsonObject, JsonValue

CANARY = "/canary/outside"
Make = Callable[[random.Random, str], JsonValue]
DECOYS = ("a", "id=x", "node-name=n", '{"a":"x', "read-only=on", "k=,,", "x=a,,b", "discard=unmap", "}")
SUBCOMMANDS = ("amend", "bench", "check", "commit", "compare", "info", "map", "measure", "rebase", "resize", "snapshot")


@dataclass(frozen=True)
class Attempt:
    """One step: its verb and argument."""

    verb: str
    argument: JsonValue


def make_attempt(source: random.Random) -> Attempt:
    """Return a step that names the canary in one of the ways that some program understands."""
    verb, make = source.choice(CARRIERS)
    return Attempt(verb, make(source, _name(source)))


def _name(source: random.Random) -> str:
    """Return the canary as QEMU may be told it: a path, or what a protocol makes of one."""
    path = source.choice(
        (CANARY, f"//{CANARY}", f"{CANARY}/../x", "..", "../outside", "./../outside", "a/../../outside")
    )
    forms = (
        path,
        f"file:{path}",
        f"nbd:unix:{path}",
        f"nbd:unix:{path}:exportname=e",
        f"nbd+unix:///e?socket={path}",
        f"blkdebug:{path}:a.raw",
        f"blkdebug::{path}",
        f"blkverify:a.raw:{path}",
        "json:" + json.dumps(_node(source, path)),
    )
    return source.choice(forms[:1] * 4 + forms)


def _node(source: random.Random, path: str) -> JsonObject:
    """Return the options of a block node that leads to a path, however many nodes below."""
    node: JsonObject = {"driver": "file", "filename": path}
    for _ in range(source.randrange(3)):
        key = source.choice(("file", "backing", "image", "x-image", "test", "children"))
        driver = source.choice(("raw", "qcow2", "blkdebug", "quorum"))
        node = {"driver": driver, key: [node] if key == "children" else node}
    return node


def _flat(source: random.Random, path: str) -> str:
    """Return a block node as an option list."""
    prefix = "".join(source.choices(("file.", "backing.", "image."), k=source.randrange(3)))
    return _mixed(source, f"{prefix}filename={_escaped(path)}", "driver=qcow2", f"{prefix}driver=file")


def _escaped(text: str) -> str:
    return text.replace(",", ",,")


def _mixed(source: random.Random, *items: str) -> str:
    """Return an option list of these items and decoys, in any order."""
    every = [*items, *source.sample(DECOYS, source.randrange(3))]
    source.shuffle(every)
    return ",".join(every)


def _qemu(option: str, make: Callable[[random.Random, str], str]) -> Make:
    def words(source: random.Random, name: str) -> JsonValue:
        before = source.choice(([], ["-S"], ["-m", "64"], ["-nodefaults", "-S"]))
        return {"arguments": [*before, source.choice(("-", "--")) + option, make(source, name)]}

    return words


def _daemon(option: str, make: Callable[[random.Random, str], str]) -> Make:
    def words(source: random.Random, name: str) -> JsonValue:
        value = make(source, name)
        glued: list[JsonValue] = [f"--{option}={value}"] if source.random() < 0.5 else [f"--{option}", value]
        return {"program": "qemu-storage-daemon", "arguments": glued}

    return words


def _keyed(*keys: str) -> Callable[[random.Random, str], str]:
    return lambda source, name: _mixed(source, f"{source.choice(keys)}={_escaped(name)}")


def _json_node(source: random.Random, name: str) -> str:
    return json.dumps(_node(source, name))


def _json_or_flat(source: random.Random, name: str) -> str:
    return source.choice((_json_node, _flat))(source, name)


def _image(source: random.Random, name: str) -> JsonValue:
    """A qemu-img command line with the name as an operand."""
    flags = source.sample(("-U", "-q", "-p", "-f", "-fraw"), source.randrange(3))
    words = [part for flag in flags for part in ((flag, "raw") if flag == "-f" else (flag,))]
    groups = [*_paired(words), [name]]
    source.shuffle(groups)
    return [source.choice(SUBCOMMANDS[:9]), *(part for group in groups for part in group)]


def _paired(words: list[str]) -> list[list[str]]:
    groups: list[list[str]] = []
    for word in words:
        if groups and groups[-1] == ["-f"]:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _image_option(source: random.Random, name: str) -> JsonValue:
    commands = {"create": "-b", "convert": "-B", "rebase": "-b", "commit": "-b", "bitmap": "-b"}
    command, option = source.choice([*commands.items(), ("create", "--backing")])
    glued = option.startswith("--") and source.random() < 0.5
    value = [f"{option}={name}"] if glued else source.choice(([option, name], [f"-q{option[1]}", name]))
    if not option.startswith("--") and source.random() < 0.5:
        value = [option + name]
    return [command, *value, "a.qcow2"]


def _create_option(source: random.Random, name: str) -> JsonValue:
    key = source.choice(("backing_file", "data_file", "encrypt.key-secret", "nosuch"))
    value = _mixed(source, f"{key}={_escaped(name)}")
    return [source.choice(("create", "convert", "amend", "measure")), source.choice(("-o", "-qo")), value, "a.qcow2"]


def _image_opts(source: random.Random, name: str) -> JsonValue:
    return [source.choice(("info", "check", "map")), "--image-opts", _flat(source, name)]


def _object(source: random.Random, name: str) -> JsonValue:
    value = _mixed(source, f"file={_escaped(name)}", "id=s", "qom-type=secret")
    return ["info", *source.choice((["--object", value], [f"--object={value}"])), "a.raw"]


def _dd(source: random.Random, name: str) -> JsonValue:
    words = [f"{source.choice(('if', 'of'))}={name}", "bs=1M", "count=1"]
    source.shuffle(words)
    return ["dd", *words]


def _io(source: random.Random, name: str) -> JsonValue:
    plain = name.replace(" ", "")
    commands = [f"write {option}{plain} 0 512" for option in ("-s ", "-qs ", "-s")]
    commands += [f"open -o file.filename={plain}", f"open {plain}", f"open -r {plain}", f"reopen -o backing={plain}"]
    command = source.choice(commands)
    return {"file": "a.raw", "commands": ["flush", command]}


def _monitor(source: random.Random, name: str) -> str:
    plain = name.replace(" ", "").replace('"', '\\"')
    quoted = source.choice(('"{}"', "{}")).format(plain) if '"' not in name else f'"{plain}"'
    return source.choice(
        (
            f"drive_backup -n d {quoted}",
            f"drive_mirror d {quoted} raw",
            f"snapshot_blkdev d {quoted} qcow2",
            f"block_stream d 0 {quoted}",
            f'drive_add 0 "if=none,file={plain}"',
            f"nbd_server_start {quoted}",
        )
    )


def _qmp(source: random.Random, name: str) -> JsonValue:
    node = _node(source, name)
    commands: list[tuple[str, JsonObject]] = [
        ("blockdev-add", {**node, "node-name": "n"}),
        ("blockdev-reopen", {"options": [node]}),
        ("drive-backup", {"device": "d", "sync": "full", "target": name}),
        ("blockdev-snapshot-sync", {"device": "d", "snapshot-file": name}),
        ("blockdev-create", {"job-id": "j", "options": node}),
        ("change-backing-file", {"device": "d", "image-node-name": "n", "backing-file": name}),
        ("block-commit", {"device": "d", "base": name}),
        ("migrate", {"uri": name}),
        ("object-add", {"qom-type": "secret", "id": "s", "file": name}),
        ("nbd-server-start", {"addr": {"type": "unix", "data": {"path": name}}}),
        ("block-export-add", {"type": "fuse", "id": "e", "node-name": "n", "mountpoint": name}),
        ("dump-guest-memory", {"paging": False, "protocol": name}),
        ("chardev-add", {"id": "c", "backend": {"type": "file", "data": {"out": name}}}),
        ("human-monitor-command", {"command-line": _monitor(source, name)}),
    ]
    command, arguments = source.choice(commands)
    if command.startswith(("drive-backup", "blockdev-snapshot")) and source.random() < 0.5:
        return {"execute": "transaction", "arguments": {"actions": [{"type": command, "data": arguments}]}}
    return {"execute": command, "arguments": arguments}


CARRIERS: list[tuple[str, Make]] = [
    ("launch", _qemu("drive", _keyed("file", "file.filename", "backing.file.filename"))),
    ("launch", _qemu("blockdev", _json_or_flat)),
    ("launch", _qemu("object", _keyed("file", "mem-path", "filename", "dir"))),
    ("launch", _qemu("trace", _keyed("events", "file"))),
    ("launch", _qemu("icount", _keyed("rrfile"))),
    ("launch", _qemu("boot", _keyed("splash"))),
    ("launch", _qemu("device", _keyed("file", "romfile"))),
    ("launch", _qemu("device", lambda source, name: json.dumps({"driver": "loader", "file": name}))),
    ("launch", _qemu("chardev", _keyed("path", "logfile", "in", "out"))),
    ("launch", _qemu("machine", _keyed("dumpdtb", "firmware", "kernel"))),
    ("launch", _qemu("D", lambda source, name: name)),
    ("launch", _qemu("incoming", lambda source, name: name)),
    ("launch", _qemu("global", lambda source, name: f"fw_cfg.file={name}")),
    ("launch", lambda source, name: {"arguments": ["-S", name]}),
    ("launch", lambda source, name: {"machine": _mixed(source, f"firmware={_escaped(name)}")}),
    ("launch", lambda source, name: {"blockdev": [_node(source, name)]}),
    ("launch", lambda source, name: {"objects": [{"qom-type": "secret", "id": "s", "file": name}]}),
    ("launch", lambda source, name: {"drives": [{"id": "d", "file": "a.raw", "format": "raw", "backing.file": name}]}),
    ("launch", _daemon("blockdev", _json_or_flat)),
    ("launch", _daemon("export", _keyed("mountpoint", "addr.path"))),
    ("launch", _daemon("nbd-server", _keyed("addr.path"))),
    ("launch", _daemon("object", _keyed("file", "dir"))),
    ("launch", _daemon("chardev", _keyed("path", "logfile"))),
    ("qemu-img", _image),
    ("qemu-img", _image_option),
    ("qemu-img", _create_option),
    ("qemu-img", _image_opts),
    ("qemu-img", _object),
    ("qemu-img", _dd),
    ("qemu-io", _io),
    ("serve-nbd", lambda source, name: {"file": "a.raw", "arguments": ["--object", _keyed("file")(source, name)]}),
    ("serve-nbd", lambda source, name: {"file": _flat(source, name), "arguments": ["--image-opts"]}),
    ("hmp", _monitor),
    ("qmp", _qmp),
    ("create-image", lambda source, name: {"file": "a.qcow2", "size": 1, "options": {"data_file": name}}),
]
