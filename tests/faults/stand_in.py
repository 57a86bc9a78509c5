"""Stands between the runner and QEMU: passes QMP on, until SIGUSR1 has it do what the file `qmp` says.

That is in `FAULTS/orders`, in the directory named as that of the case, which we run in a directory of. The arguments
are the path of QEMU and its own. QEMU takes the place of this process, so that who waits for it, or kills it, deals
with QEMU itself; what stands between is a child of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import select
import signal
import socket
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


def stand_between(runner: socket.socket, qemu: socket.socket, pid: int) -> None:
    """Pass on what is said until QEMU ends, which is the end of this process too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # QEMU is in our process group and gets the signal too.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        pass_on(runner, qemu)
    while os.getppid() == pid:
        signal.pause()


def main() -> None:
    """Become QEMU, with its QMP on a socket pair of our own and a child between."""
    argv = sys.argv[1:]
    if found := re.search(r"fd=(\d+)", " ".join(argv)):
        runner, pid = socket.socket(fileno=int(found[1])), os.getpid()
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            theirs.close()
            stand_between(runner, ours, pid)
            return
        runner.close()
        theirs.set_inheritable(True)
        argv = [word.replace(f"fd={found[1]}", f"fd={theirs.fileno()}") for word in argv]
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main()
