"""Answers that were given before: to `--list` and `--check`, as long as nothing that they follow from has changed.

An answer is kept beside its basis: the options, the text of every file that was read, the QEMU under test, and the code
that answered. If all that is as it was, what was printed is printed again, and nothing is looked at any closer.
Imports basis, cache and discover.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from run_scenarios.collection.cache_key import NO_CACHE, Json, basis_of, digest_of, may_keep
from run_scenarios.collection.discover import discover
from run_scenarios.core.cache import locate_cache_file, write_json_atomically
from run_scenarios.report.stream import LineStream

MOST_KEPT, MOST_READ = 20, 1000
"""How many answers are kept, and about how many files: all are read to find one."""


@dataclass(frozen=True)
class Answer:
    """What a command answered, besides what it printed.

    :param read: the digest of each file that it follows from, by absolute path; None if there is more to it.
    """

    status: int
    read: Mapping[str, str] | None = None


Work = Callable[[argparse.Namespace, LineStream, LineStream], Answer]


def answer(options: argparse.Namespace, stdout: LineStream, stderr: LineStream, work: Work) -> int:
    """Print what `work` prints, and return its status; do the work only if the answer is not known.

    :raise Exception: whatever the work raises; that is no answer.
    """
    if not may_keep(options):
        return work(options, stdout, stderr).status
    question = json.dumps(vars(options), sort_keys=True, default=str)
    known = _kept().get(question)
    with contextlib.suppress(*NO_CACHE):
        if known and known["basis"] == _basis(options, {each: digest_of(each) for each in known["basis"]["read"]}):
            stdout.write(*known["stdout"])
            stderr.write(*known["stderr"])
            return int(known["status"])
    out, err = _Overheard(stdout), _Overheard(stderr)
    given = work(options, out, err)
    if given.read is not None and len(given.read) <= MOST_READ:
        with contextlib.suppress(*NO_CACHE):
            basis = _basis(options, given.read)
            _keep(question, {"basis": basis, "stdout": out.lines, "stderr": err.lines, "status": given.status})
    return given.status


class _Overheard(LineStream):
    """A stream that remembers what is written to another one through it."""

    def __init__(self, stream: LineStream) -> None:
        self.lines: list[str] = []
        self.is_terminal = stream.is_terminal
        self._to = stream

    def write(self, *lines: str) -> None:
        """Write lines, and remember them."""
        self.lines += lines
        self._to.write(*lines)


def _basis(options: argparse.Namespace, read: Mapping[str, str]) -> Json:
    """Return all that an answer follows from, as JSON gives it back.

    :raise LookupError: if a file is among those that the options mean, and was not read.
    :raise OSError: if something cannot be looked at.
    :raise SetupError: if the programs under test are not there.
    """
    found, missing = discover(options.paths)
    files = [[str(each.path.absolute()), each.shown_as] for each in found]
    if missing or any(path not in read for path, _ in files):
        raise LookupError("a file that was not read")
    return {"read": dict(read), "found": files, **basis_of(options)}


def _kept() -> dict[str, Json]:
    with contextlib.suppress(*NO_CACHE):
        kept = json.loads(_file().read_text(encoding="utf-8"))
        return kept if isinstance(kept, dict) else {}
    return {}


def _keep(question: str, given: Json) -> None:
    others = [(asked, each) for asked, each in _kept().items() if asked != question]
    write_json_atomically(_file(), dict([*others[1 - MOST_KEPT :], (question, given)]))


def _file() -> Path:
    return locate_cache_file("answers", str(Path.cwd()))
