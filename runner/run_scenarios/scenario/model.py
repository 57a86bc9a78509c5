"""What a file holds once it was read: a scenario, procedures only, or mistakes. Imports steps.base."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import Entry, MappingNode, Node
from run_scenarios.core.source import Source, Span
from run_scenarios.steps.scope import Procedure
from run_scenarios.steps.verb import Step


@dataclass(frozen=True)
class Requirements:
    """What a scenario needs of the QEMU under test, and where each name in one of the lists was written."""

    qemu: str = ""
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    places: dict[str, Span] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.qemu or self.lists)


@dataclass(frozen=True)
class FileText:
    """The text of a file, and the path by which the file is told from others, whatever names lead to it."""

    identity: str
    source: Source

    @property
    def digest(self) -> str:
        """What tells it from every other text: the SHA-256 of its UTF-8."""
        return hashlib.sha256(self.source.text.encode()).hexdigest()


@dataclass(frozen=True)
class Change:
    """Another value in one place of a file, for a run that is to show what comes of it.

    :param at: the file's absolute path.
    :param path: the keys and indices that lead to the place.
    """

    at: str
    path: tuple[str | int, ...]
    value: Node


@dataclass(frozen=True, eq=False)
class ScenarioFile:
    """A scenario file as it was read: all that it takes to read it again, here or elsewhere.

    :param at: its absolute path.
    :param path: its name in messages and reports.
    :param texts: its own text and those of the files that it imports, by absolute path.
    :param changes: what is to be other than the texts say.
    """

    at: str
    path: str
    title: str
    tags: tuple[str, ...]
    texts: dict[str, FileText]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, eq=False)
class Scenario:
    """One checked scenario file."""

    file: ScenarioFile
    path: str
    title: str
    span: Span
    summary: str
    tags: tuple[str, ...]
    requires: Requirements
    variables: tuple[Entry, ...]
    matrix: MappingNode | None
    timeout_s: float | None
    expected_failure: str
    steps: tuple[Step, ...]
    procedures: dict[str, Procedure]


@dataclass(eq=False)
class Library:
    """The procedures that a file declares, those it sees, and the texts they come from; filled by its imports.

    :param may_leave: whether its steps may leave the case's directory.
    """

    own: dict[str, Procedure] = field(default_factory=dict)
    visible: dict[str, Procedure] = field(default_factory=dict)
    texts: dict[str, FileText] = field(default_factory=dict)
    may_leave: bool = False


@dataclass(frozen=True)
class InvalidFile:
    """A file that cannot be run, and why.

    :param label: the build of QEMU that it cannot be run on, "" for any.
    """

    path: str
    diagnostics: tuple[Diagnostic, ...]
    label: str = ""
