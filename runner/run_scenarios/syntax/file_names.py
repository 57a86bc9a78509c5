"""Check that file names stay in the case's directory."""

from __future__ import annotations

import re

PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""The common names, which need no further check."""
PROTOCOL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
LOCAL_HINT = "files live in the case's own directory: use a plain relative name; to leave it, see --allow-outside"


def find_name_problem(name: str) -> str:
    """Return why a file name leads out of the case's directory, or ""."""
    if name.startswith("/"):
        return f"'{name}' is an absolute path"
    if ".." in name.split("/"):
        return f"'{name}' leads out of the case's directory"
    if PROTOCOL.match(name):
        return f"'{name}' names a protocol, not a file"
    return ""
