"""Replace this process by QEMU, with a child that shares its QMP socket and breaks the session at SIGUSR1.

What the child does is in the file `FAULTS/orders/CASE/qmp`. The arguments are the path of QEMU and QEMU's own
arguments. The runner talks to QEMU itself, not to a proxy.
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
BROKEN_MESSAGES = {
    "garbage": b'{"return": no JSON at all]\r\n',
    "not-utf8": b'{"return": "\xff\xfe\x80"}\r\n',
    "half-line": b'{"return": {"stat',
}


def misbehave(session: socket.socket, how: str) -> None:
    """Break the session in one way."""
    match how:
        case "closes":
            session.shutdown(socket.SHUT_RDWR)
        case "floods":
            for _ in range(FLOOD >> 16):
                os.write(2, b"y" * 65535 + b"\n")
        case "long-line":
            session.sendall(b'{"return": "' + b"x" * LONG + b'"}\r\n')
        case _:
            session.sendall(BROKEN_MESSAGES[how])


def wait_for_signal(session: socket.socket, qemu: int) -> None:
    """Wait for the signal, and exit with QEMU."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The runner signals the process group; only QEMU is to react.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # The file description, and so O_NONBLOCK, is shared with QEMU; a time limit makes this end wait anyway.
    session.settimeout(60)
    while os.getppid() == qemu:
        signal.sigwait([signal.SIGUSR1])
        how = (PLACE / "orders" / CASE / "qmp").read_text()
        with contextlib.suppress(OSError):
            misbehave(session, how)
        # QEMU was stopped, to send nothing before. After half a line it stays so: its next message would end the line.
        if how != "half-line":
            os.kill(qemu, signal.SIGCONT)


def main() -> None:
    """Become QEMU, with a child that shares the session."""
    argv = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    qemu = os.getpid()
    if (found := re.search(r"fd=(\d+)", " ".join(argv))) and os.fork() == 0:
        wait_for_signal(socket.socket(fileno=int(found[1])), qemu)
        return
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main()
