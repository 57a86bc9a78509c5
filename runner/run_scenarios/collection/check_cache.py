"""Scenarios that `--check` found nothing in, which it need not look at again as long as nothing has changed.

Of many thousand files most are as they were. Imports basis, cache, discover and examine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from run_scenarios.collection.cache_key import NO_CACHE, Json, basis_of, digest_of, may_keep
from run_scenarios.collection.check_file import CheckedFile
from run_scenarios.collection.discover import FoundFile
from run_scenarios.core.cache import locate_cache_file, write_json_atomically


class Checked:
    """The scenarios that are known to be right.

    :param basis: what that follows from besides their text and that of what they import; None if nothing is to be kept.
    """

    def __init__(self, basis: Json = None) -> None:
        self._basis = basis
        self._right: dict[str, Mapping[str, str]] = _kept(basis) if basis else {}
        self._digests: dict[str, str] = {}
        self._learnt = False

    def read_for(self, file: FoundFile) -> Mapping[str, str] | None:
        """Return the digest of each file that a scenario was read from, if it is known and no digest has changed."""
        read = None if file.selector else self._right.get(_key(file))
        with contextlib.suppress(*NO_CACHE):
            if read and all(self._digest_of(path) == digest for path, digest in read.items()):
                return read
        return None

    def learn(self, file: FoundFile, examined: CheckedFile) -> None:
        """Remember a scenario if nothing was found in it, whose cases are all there."""
        found = examined.wrong or examined.warnings or examined.deprecated
        if examined.cases and not found and not file.selector:
            self._right[_key(file)] = examined.read
            self._learnt = True

    def keep(self) -> None:
        """Keep what was learnt for the next time, without what is not there any more."""
        if self._basis and self._learnt:
            with contextlib.suppress(*NO_CACHE):
                right = {path: dict(read) for path, read in self._right.items() if Path(path).exists()}
                write_json_atomically(_file(), {"basis": self._basis, "right": right})

    def _digest_of(self, path: str) -> str:
        if path not in self._digests:
            self._digests[path] = digest_of(path)
        return self._digests[path]


def checked_before(options: argparse.Namespace) -> Checked:
    """Return what is known under these options; nothing if that might be another answer today."""
    with contextlib.suppress(*NO_CACHE):
        if may_keep(options):
            return Checked({**basis_of(options), "options": [options.define, options.allow_outside]})
    return Checked()


def _kept(basis: Json) -> dict[str, Mapping[str, str]]:
    with contextlib.suppress(*NO_CACHE):
        kept = json.loads(_file().read_text(encoding="utf-8"))
        if kept["basis"] == basis:
            return dict(kept["right"])
    return {}


def _key(file: FoundFile) -> str:
    return str(file.path.absolute())


def _file() -> Path:
    return locate_cache_file("checked", str(Path.cwd()))
