"""Symbolic links that lead out of a case's directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def find_outside_link(directory: Path) -> str:
    """Return a symbolic link in a directory that leads out of it, "" if there is none.

    :raise OSError: if the directory cannot be read.
    """
    for link in _iterate_links(os.fspath(directory)):
        if not Path(os.path.realpath(link)).is_relative_to(os.path.realpath(directory)):
            return os.path.relpath(link, directory)
    return ""


def _iterate_links(directory: str) -> Iterator[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_symlink():
                yield entry.path
            elif entry.is_dir():
                yield from _iterate_links(entry.path)
