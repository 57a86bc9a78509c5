"""Where the command remembers things between runs: `$XDG_CACHE_HOME/run-scenarios`, else `~/.cache/run-scenarios`.

A cache that cannot be read or written is none. Imports nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path


def locate_cache_file(kind: str, path: str) -> Path:
    """Return the file for what is remembered of a path: one per path, so that the new takes the place of the old.

    :raise RuntimeError: if there is no home directory.
    """
    home = os.environ.get("XDG_CACHE_HOME") or ""
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return base / "run-scenarios" / f"{kind}-{Path(path).name}-{digest}.json"


def fingerprint_file(path: str) -> list[str | int]:
    """Return what is another value once a file has changed, as JSON gives it back.

    :raise OSError: if it is not there.
    """
    about = Path(path).stat()
    return [path, about.st_size, about.st_mtime_ns, about.st_ino]


def is_script(path: str) -> bool:
    """Tell whether a program is a script: what that starts may change while it does not.

    :raise OSError: if it cannot be read.
    """
    with Path(path).open("rb") as program:
        return program.read(2) == b"#!"


def write_json_atomically(file: Path, content: object) -> None:
    """Write a file as JSON, whole or not at all, and make its directory.

    :raise OSError: if that is not possible.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(content))
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
