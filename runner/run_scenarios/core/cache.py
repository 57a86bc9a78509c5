"""Files in the user's cache directory: `$XDG_CACHE_HOME/run-scenarios`, or `~/.cache/run-scenarios`."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path


def locate_cache_file(kind: str, path: str) -> Path:
    """Return the cache file of one kind for a path.

    :raise RuntimeError: if the home directory cannot be determined.
    """
    home = os.environ.get("XDG_CACHE_HOME") or ""
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return base / "run-scenarios" / f"{kind}-{Path(path).name}-{digest}.json"


def fingerprint_file(path: str) -> list[str | int]:
    """Return a JSON value that changes when the file does: path, size, modification time, inode.

    :raise OSError: if the file does not exist.
    """
    about = Path(path).stat()
    return [path, about.st_size, about.st_mtime_ns, about.st_ino]


def is_script(path: str) -> bool:
    """Tell whether a program is a script, which can start other programs that change while it does not.

    :raise OSError: if it cannot be read.
    """
    with Path(path).open("rb") as program:
        return program.read(2) == b"#!"


def write_json_atomically(file: Path, content: object) -> None:
    """Write a JSON file, completely or not at all, and create its directory.

    :raise OSError: if the file cannot be written.
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
