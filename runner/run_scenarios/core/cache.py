"""Files in the user's cache directory: `$XDG_CACHE_HOME/run-scenarios`, or `~/.cache/run-scenarios`."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

MAX_JSON_BYTES = 64 << 20


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


def read_json(file: Path, *, must_be_regular: bool = False) -> Any:
    """Read a JSON file of at most `MAX_JSON_BYTES`.

    :param must_be_regular: refuse anything else, such as a FIFO, instead of waiting for it.
    :raise OSError: if it cannot be read.
    :raise ValueError: if it is not JSON.
    :raise RecursionError: if it is nested too deeply.
    """
    flags = os.O_RDONLY | (os.O_NONBLOCK if must_be_regular else 0)
    with os.fdopen(os.open(file, flags), "rb") as stream:
        if must_be_regular and not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(file))
        content = stream.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(file))
    return json.loads(content)


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
