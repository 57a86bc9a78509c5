"""Starts QEMU with a child that shares its end of the QMP session, and at SIGUSR1 does what the file `qmp` says.

That is in `FAULTS/orders`, in the directory named as that of the case, which we run in a directory of. The arguments
are the path of QEMU and its own. QEMU takes the place of this process, and its messages pass nobody: who waits for it,
kills it or talks to it deals with QEMU itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
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


def misbehave(session: socket.socket, how: str) -> None:
    """Do what was asked."""
    match how:
        case "closes":
            session.shutdown(socket.SHUT_RDWR)
        case "floods":
            for _ in range(FLOOD >> 16):
                os.write(2, b"y" * 65535 + b"\n")
        case "long-line":
            session.sendall(b'{"return": "' + b"x" * LONG + b'"}\r\n')
        case _:
            session.sendall(SAYS[how])


def stand_by(session: socket.socket, qemu: int) -> None:
    """Wait for the signal; and for the end of QEMU, which is ours too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # QEMU is in our process group and gets the signal too.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # QEMU does not wait for its reader, and what is shared is that too: with a time limit we do.
    session.settimeout(60)
    while os.getppid() == qemu:
        signal.sigwait([signal.SIGUSR1])
        how = (PLACE / "orders" / CASE / "qmp").read_text()
        with contextlib.suppress(OSError):
            misbehave(session, how)
        # It was stopped, so that it says nothing before; and would end half a line with its next message.
        if how != "half-line":
            os.kill(qemu, signal.SIGCONT)


def main() -> None:
    """Become QEMU, with a child that shares the session."""
    argv = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    qemu = os.getpid()
    if (found := re.search(r"fd=(\d+)", " ".join(argv))) and os.fork() == 0:
        stand_by(socket.socket(fileno=int(found[1])), qemu)
        return
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main()
