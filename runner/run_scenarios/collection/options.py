"""Options that choose files, cases and their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count` parts; `number` counts from 1."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True)
class CollectionOptions:
    """Files to collect, and the QEMU to check them against.

    :param paths: files, directories, and `FILE::CASE`.
    :param overrides: `NAME=VALUE` texts.
    :param programs: the programs named for each tool; see `find_builds`.
    :param qmp_schema: a file to check QMP against instead of QEMU.
    :param may_start_qemu: whether QEMU may be started for its schema even if no case will run.
    """

    paths: Sequence[str]
    overrides: Sequence[str] = ()
    allow_outside: bool = False
    programs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    qmp_schema: Path | None = None
    may_start_qemu: bool = False


@dataclass(frozen=True)
class SelectionOptions:
    """Filters, rounds and order of the collected cases.

    :param keywords: `-k` expressions, all of which must match.
    :param changed: a git revision.
    :param durations: files written by `--save-durations`.
    :param shuffle: the seed of a random order.
    :param timeout_s: upper limit for each case.
    """

    keywords: Sequence[str] = ()
    tags: Sequence[str] = ()
    excluded_tags: Sequence[str] = ()
    changed: str | None = None
    rerun_failed: bool = False
    shard: Shard | None = None
    durations: Sequence[Path] = ()
    repeat: int = 1
    shuffle: str | None = None
    timeout_s: float | None = None
