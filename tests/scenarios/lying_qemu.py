#!/usr/bin/env python3
"""A stand-in between the runner and the real QEMU that tells one lie: what a broken block layer would say or do.

The lie is named by the environment variable LIE, the real QEMU by REAL_QEMU. A lie changes commands on their way in, or
replies and events on their way out; everything else passes as it is.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

Message = dict[str, Any]
Lie = Callable[[Message], None]


def _parts(value: Any, key: str) -> Iterator[Any]:
    """Yield every mapping within `value` that has `key`."""
    if isinstance(value, dict):
        if key in value:
            yield value
        for item in value.values():
            yield from _parts(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _parts(item, key)


def _bitmaps(change: Lie) -> Lie:
    def lie(message: Message) -> None:
        for node in _parts(message, "dirty-bitmaps"):
            for bitmap in node["dirty-bitmaps"]:
                change(bitmap)

    return lie


def _events(name: str, change: Lie) -> Lie:
    def lie(message: Message) -> None:
        if message.get("event") == name:
            change(message["data"])

    return lie


def _commands(name: str, change: Lie) -> Lie:
    def lie(message: Message) -> None:
        if message.get("execute") == name:
            change(message.setdefault("arguments", {}))

    return lie


def _without_actions(kind: str) -> Lie:
    def change(arguments: Message) -> None:
        arguments["actions"] = [action for action in arguments["actions"] if action["type"] != kind]

    return _commands("transaction", change)


def _full_instead(bitmap: str | None) -> Lie:
    def change(arguments: Message) -> None:
        if arguments["sync"] == "incremental" and arguments.get("bitmap") == bitmap:
            arguments["sync"] = "full"
            arguments.pop("bitmap", None)

    return _commands("drive-backup", change)


def _round_granularity(arguments: Message) -> None:
    if arguments.get("granularity") == 64000:
        arguments["granularity"] = 65536


class _AfterFailure:
    """Empty bitmaps once a job has failed."""

    def __init__(self) -> None:
        self._failed = False

    def __call__(self, message: Message) -> None:
        self._failed = self._failed or message.get("event") == "BLOCK_JOB_ERROR"
        if self._failed:
            _bitmaps(lambda bitmap: bitmap.update(count=0))(message)


class _NeverClean:
    """Report the highest count ever seen of each bitmap."""

    def __init__(self) -> None:
        self._highest: dict[str, int] = {}

    def __call__(self, message: Message) -> None:
        _bitmaps(self._keep)(message)

    def _keep(self, bitmap: Message) -> None:
        name = bitmap.get("name", "")
        self._highest[name] = bitmap["count"] = max(self._highest.get(name, 0), bitmap["count"])


def _short_write(arguments: Message) -> None:
    """Write only the first half of a long write."""
    arguments["command-line"] = arguments["command-line"].replace(" 16M 256k", " 16M 128k")


COMMANDS: dict[str, Lie] = {
    "granularity-ignored": _commands("block-dirty-bitmap-add", lambda arguments: arguments.pop("granularity", None)),
    "clear-does-nothing": _without_actions("block-dirty-bitmap-clear"),
    "backup-in-transaction-does-nothing": _without_actions("drive-backup"),
    "grouping-ignored": _commands("transaction", lambda arguments: arguments.pop("properties", None)),
    "missing-bitmap-accepted": _full_instead(None),
    "unknown-bitmap-accepted": _full_instead("unknown"),
    "bad-granularity-accepted": _commands("block-dirty-bitmap-add", _round_granularity),
    "stop-policy-ignored": _commands("drive-backup", lambda arguments: arguments.pop("on-source-error", None)),
    "long-write-half-done": _commands("human-monitor-command", _short_write),
    "resize-does-nothing": _commands("block_resize", lambda arguments: arguments.update(size=64 << 20)),
}
REPLIES: dict[str, Lie] = {
    "bitmap-kept-dirty": _NeverClean(),
    "bitmap-cleared-after-failure": _AfterFailure(),
    "count-misreported": _bitmaps(lambda bitmap: bitmap.update(count=bitmap["count"] + bitmap["granularity"])),
    "never-busy": _bitmaps(lambda bitmap: bitmap.update(busy=False)),
    "always-busy": _bitmaps(lambda bitmap: bitmap.update(busy=True)),
    "never-recording": _bitmaps(lambda bitmap: bitmap.update(recording=False)),
    "wrong-error-class": lambda message: message.get("error", {}).update({"class": "DeviceNotFound"}),
    "wrong-operation": _events("BLOCK_JOB_ERROR", lambda data: data.update(operation="write")),
    "wrong-action": _events("BLOCK_JOB_ERROR", lambda data: data.update(action="ignore")),
    "error-swallowed": _events("BLOCK_JOB_COMPLETED", lambda data: data.pop("error", None)),
    "wrong-errno": _events(
        "BLOCK_JOB_COMPLETED", lambda data: data.update({key: "No such device" for key in data if key == "error"})
    ),
    "offset-misreported": _events("BLOCK_JOB_COMPLETED", lambda data: data.update(offset=data["len"] + 1)),
    "copied-misreported": _events("BLOCK_JOB_COMPLETED", lambda data: data.update(len=1 << 30, offset=1 << 30)),
}


def _forward(source: IO[bytes], target: socket.socket, lie: Lie | None) -> None:
    # The runner's library sends no line ends, so messages are told apart by their JSON.
    decoder, text = json.JSONDecoder(), ""
    while chunk := os.read(source.fileno(), 65536):
        text += chunk.decode()
        while text := text.lstrip():
            try:
                message, end = decoder.raw_decode(text)
            except json.JSONDecodeError:
                break
            text = text[end:]
            if lie:
                lie(message)
            target.sendall(json.dumps(message).encode() + b"\r\n")
    target.shutdown(socket.SHUT_WR)


def main() -> int:
    """Start the real QEMU on a socket pair of our own, and pass messages until it ends."""
    words = " ".join(sys.argv[1:])
    found = re.search(r"fd=(\d+)", words)
    if not found:
        os.execv(os.environ["REAL_QEMU"], [os.environ["REAL_QEMU"], *sys.argv[1:]])
    runner = socket.socket(fileno=int(found[1]))
    ours, theirs = socket.socketpair()
    argv = [word.replace(f"fd={found[1]}", f"fd={theirs.fileno()}") for word in sys.argv[1:]]
    qemu = subprocess.Popen([os.environ["REAL_QEMU"], *argv], pass_fds=[theirs.fileno()])
    theirs.close()
    name = os.environ["LIE"]
    for source, target, lies in ((runner, ours, COMMANDS), (ours, runner, REPLIES)):
        arguments = (source.makefile("rb"), target, lies.get(name))
        threading.Thread(target=_forward, args=arguments, daemon=True).start()
    return qemu.wait()


if __name__ == "__main__":
    sys.exit(main())
