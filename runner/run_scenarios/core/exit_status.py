"""Describe the exit status of a child process."""

from __future__ import annotations

import signal

# A wrapper script may turn the signal into an exit status.
STATUSES_AFTER_SIGTERM = (0, -signal.SIGTERM, 128 + signal.SIGTERM)


def describe_status(status: int) -> str:
    """Return "exited with status 1" or "was killed by SIGSEGV"."""
    return f"was killed by {signal_name(status)}" if status < 0 else f"exited with status {status}"


def signal_name(status: int) -> str:
    """Return the name of the signal in a negative status, "" for any other."""
    if status >= 0:
        return ""
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
