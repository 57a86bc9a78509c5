"""Command lines at random, of words that programs know; those that are let through are run under strace."""

from __future__ import annotations

import os
import random
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from run_scenarios.core.nodes import JsonValue
from run_scenarios.qemu.programs import BARE_MACHINE
from run_scenarios.scenario.confinement.programs import QEMU, QEMU_IMG, QEMU_NBD, STORAGE_DAEMON

from qa.canary.naming import CANARY, make_attempt

LIMIT_S = 1.0
NAMES = ["a.raw", "a.qcow2", "b.qcow2", "nbd.sock", "x", "", "1M", "0", "b0", "d", CANARY, "../outside", "."]
KEYS = ["file", "filename", "driver", "format", "id", "node-name", "path", "events", "logfile", "backing", "rrfile"]
KEYS += ["file.filename", "file.driver", "backing.file.filename", "server.path", "addr.type", "qom-type", "read-only"]
VALUES = ["raw", "qcow2", "file", "null-co", "nbd", "on", "off", "unix", "inet", "secret", "iothread", "socket"]
SPLIT = [",", ",,", "=", "==", "{", '"', ":", "/", "/../", "-", "--"]
CALLS = "open openat creat unlink unlinkat rename renameat2 mkdir mkdirat link linkat symlink truncate mknod chmod"
OPENED = re.compile(rf'(?:{CALLS.replace(" ", "|")})\(.*?"([^"]*)"(.*)')
CONNECTED = re.compile(r"(?:connect|bind|sendto)\(.*sa_family=AF_(INET6?|UNIX), *(.*)")
CONFIGURATION = "gnutls ld.so.cache ld.so.preload libnl localtime nsswitch.conf passwd pkcs11 qemu ssl"
SYSTEM = re.compile(
    rf"/(?:(?:usr|lib|lib64|proc|sys)(?:/|$)|etc/(?:{CONFIGURATION.replace(' ', '|')})(?:/|$)"
    r"|dev/(?:null|random|urandom|zero)$|$)"
)
PROBED = {Path("/dev/null"), Path("/dev/sgx_vepc")}
"""Devices that QEMU opens at every start, whatever it is told."""
WRITES = re.compile("O_WRONLY|O_RDWR|O_CREAT")


@dataclass(frozen=True)
class Line:
    """A command line, and the step that it stands for."""

    program: str
    words: tuple[str, ...]
    verb: str
    argument: JsonValue


def make_line(source: random.Random) -> Line:
    """Return a command line of one of the programs."""
    program = source.choice(("qemu", "qemu-storage-daemon", "qemu-img", "qemu-img", "qemu-nbd", "qemu-io"))
    if program == "qemu-img":
        command = source.choice(list(QEMU_IMG))
        words = [command, *_words(source, list(QEMU_IMG[command]), long_only=False)]
        return Line(program, tuple(words), "qemu-img", [*words])
    if program == "qemu-nbd":
        words = _words(source, list(QEMU_NBD), long_only=False)
        return Line(program, (*words, "-k", "s.sock", "a.raw"), "serve-nbd", {"file": "a.raw", "arguments": [*words]})
    if program == "qemu-io":
        command = _io_command(source)
        return Line(program, ("-f", "raw", "-c", command, "a.raw"), "qemu-io", {"file": "a.raw", "commands": [command]})
    known = QEMU if program == "qemu" else STORAGE_DAEMON
    words = _words(source, list(known), long_only=program != "qemu")
    argument: JsonValue = {"program": program, "arguments": [*words]}
    return Line(program, (*(BARE_MACHINE if program == "qemu" else ()), *words), "launch", argument)


def _words(source: random.Random, options: Sequence[str], *, long_only: bool) -> list[str]:
    words = []
    for _ in range(source.randrange(1, 5)):
        option = source.choice(options)
        dashes = "--" if long_only or len(option) > 1 else "-"
        value = _value(source)
        words += source.choice(
            ([dashes + option, value], [f"{dashes}{option}={value}"], [f"{dashes}{option}{value}"], [value])
        )
    return words


def _value(source: random.Random) -> str:
    """Return a value: a name, an option list, JSON, or what another generator made of the canary."""
    kind = source.random()
    if kind < 0.3:
        return source.choice(NAMES)
    if kind < 0.7:
        pairs = [f"{source.choice(KEYS)}={source.choice(VALUES + NAMES)}" for _ in range(source.randrange(1, 4))]
        return ",".join([*source.choices(VALUES, k=source.randrange(2)), *pairs])
    if kind < 0.85:
        return "".join(source.choice(KEYS + VALUES + NAMES + SPLIT) for _ in range(source.randrange(1, 7)))
    made = make_attempt(source).argument
    return str(source.choice(made)) if isinstance(made, list) and made else source.choice(NAMES)


def _io_command(source: random.Random) -> str:
    name = source.choice(("read", "write", "open", "reopen", "aio_write", "map", "info", "discard"))
    words = [source.choice(["-s", "-o", "-P", "-q", "-c", "0", "512", *NAMES, _value(source)]) for _ in range(3)]
    return " ".join([name, *words])


def find_escape(argv: Sequence[str]) -> str:
    """Run a command line in an empty directory under strace; return what it reached outside, "" for nothing."""
    with tempfile.TemporaryDirectory(prefix="run-scenarios-canary-") as name:
        directory = Path(name).resolve()
        work, log = directory / "work", directory / "log"
        work.mkdir()
        for image in ("a.raw", "b.qcow2", "a.qcow2"):
            (work / image).write_bytes(bytes(65536))
        strace = ["strace", "-f", "-qq", "-s", "4096", "-e", "trace=%file,%network", "-o", str(log)]
        command = ["timeout", "-k", "1", str(LIMIT_S), *strace, *argv]
        environment = {"PATH": "/usr/bin:/bin:/usr/sbin", "TMPDIR": str(work), "QEMU_AUDIO_DRV": "none", "LC_ALL": "C"}
        subprocess.run(
            command, cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=30
        )
        return next(_escapes(log.read_text(errors="replace"), work, Path(argv[0]).resolve().parents[1]), "")


def _escapes(log: str, work: Path, installed: Path) -> Iterator[str]:
    for line in log.splitlines():
        opened, connected = OPENED.search(line), CONNECTED.search(line)
        if opened:
            path = Path(opened[1]) if opened[1].startswith("/") else work / opened[1]
            real = Path(os.path.normpath(path))
            harmless = real in PROBED or (not WRITES.search(opened[2]) and _is_system(real, installed))
            if not harmless and not real.is_relative_to(work):
                yield line
        elif connected and connected[1].startswith("INET"):
            yield line


def _is_system(path: Path, installed: Path) -> bool:
    return bool(SYSTEM.match(str(path))) or path.is_relative_to(installed)
