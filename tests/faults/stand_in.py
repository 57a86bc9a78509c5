"""Stands in for QEMU: starts it and passes its QMP on, until SIGUSR1 has it do what the file `qmp` says.

That is in `FAULTS/orders`, in the directory named as that of the case, which we run in a directory of. The arguments
are those of QEMU, after its path.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

LONG, FLOOD = 60 << 20, 100 << 20
PR_SET_PDEATHSIG = 1
PLACE, CASE = Path(os.environ["FAULTS"]), Path.cwd().parent.name
SAYS = {
    "garbage": b'{"return": no JSON at all]\r\n',
    "not-utf8": b'{"return": "\xff\xfe\x80"}\r\n',
    "half-line": b'{"return": {"stat',
}


def pass_on(runner: socket.socket, qemu: socket.socket) -> None:
    """Pass messages until one side hangs up, or something was said that nobody can make sense of."""
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    other = {runner: qemu, qemu: runner}
    while True:
        ready, _, _ = select.select([woken, *other], [], [])
        if woken in ready:
            woken.recv(1)
            how = (PLACE / "orders" / CASE / "qmp").read_text()
            misbehave(runner, how)
            if how != "floods":
                return
            continue
        for source in other.keys() & set(ready):
            chunk = source.recv(65536)
            if not chunk:
                return
            other[source].sendall(chunk)


def misbehave(runner: socket.socket, how: str) -> None:
    """Do what was asked."""
    match how:
        case "closes":
            runner.close()
        case "long-line":
            runner.sendall(b'{"return": "' + b"x" * LONG + b'"}\r\n')
        case "floods":
            for _ in range(FLOOD >> 16):
                os.write(2, b"y" * 65535 + b"\n")
        case _:
            runner.sendall(SAYS[how])


def main() -> int:
    """Start the real QEMU on a socket pair of our own, and end as it does."""
    found = re.search(r"fd=(\d+)", " ".join(sys.argv[2:]))
    if not found:
        os.execv(sys.argv[1], sys.argv[1:])
    runner = socket.socket(fileno=int(found[1]))
    ours, theirs = socket.socketpair()
    argv = [word.replace(f"fd={found[1]}", f"fd={theirs.fileno()}") for word in sys.argv[1:]]
    # Who kills us means QEMU.
    dies_with_us = functools.partial(ctypes.CDLL(None).prctl, PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    qemu = subprocess.Popen(argv, pass_fds=[theirs.fileno()], preexec_fn=dies_with_us)
    theirs.close()
    # QEMU is in our process group and gets the signal too.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        pass_on(runner, ours)
    return qemu.wait()


if __name__ == "__main__":
    sys.exit(main())
