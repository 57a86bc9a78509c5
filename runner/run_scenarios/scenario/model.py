"""A scenario file once it is parsed: a scenario, a library of procedures, or an invalid file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import Entry, MappingNode, Node
from run_scenarios.core.source import Source, Span
from run_scenarios.scenario.expected_failures import ExpectedFailure
from run_scenarios.steps.scope import Procedure
from run_scenarios.steps.verb import Step


@dataclass(frozen=True)
class Requirements:
    """What a scenario needs from the QEMU under test.

    :param qemu: the range of versions, such as `>= 8.0`; "" for any.
    :param lists: the names in each of the other lists, by the list's key.
    :param places: where each of these names was written.
    """

    qemu: str = ""
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    places: dict[str, Span] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.qemu or self.lists)


@dataclass(frozen=True)
class FileText:
    """The text of a file, and its real path, which is the same whatever name or link leads to the file."""

    real_path: str
    source: Source

    @property
    def digest(self) -> str:
        """The SHA-256 of the text in UTF-8."""
        return hashlib.sha256(self.source.text.encode()).hexdigest()


@dataclass(frozen=True)
class Change:
    """A different value in one place of a file, as mutation testing needs it.

    :param absolute_path: that of the file.
    :param path: the keys and indices that lead to the place.
    """

    absolute_path: str
    path: tuple[str | int, ...]
    value: Node


@dataclass(frozen=True, eq=False)
class ScenarioFile:
    """The text of a scenario file and everything else that is needed to parse it again, here or on another machine.

    :param path: its name in messages and reports.
    :param texts: its own text and those of the files that it imports, by absolute path.
    :param changes: values that replace those in the texts.
    """

    absolute_path: str
    path: str
    title: str
    tags: tuple[str, ...]
    texts: dict[str, FileText]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, eq=False)
class Scenario:
    """A valid scenario file.

    :param span: the title.
    :param procedures: those that its steps may call.
    """

    file: ScenarioFile
    span: Span
    summary: str
    requires: Requirements
    variables: tuple[Entry, ...]
    matrix: MappingNode | None
    timeout_s: float | None
    expected_failures: tuple[ExpectedFailure, ...]
    steps: tuple[Step, ...]
    procedures: dict[str, Procedure]


@dataclass(eq=False)
class Library:
    """The procedures of a file.

    :param own: those that it declares.
    :param visible: those that it declares or imports.
    :param texts: the text and those of the files that it imports, by absolute path.
    :param allows_outside_paths: whether its steps may leave the case's directory.
    """

    text: FileText
    own: dict[str, Procedure] = field(default_factory=dict)
    visible: dict[str, Procedure] = field(default_factory=dict)
    texts: dict[str, FileText] = field(default_factory=dict)
    allows_outside_paths: bool = False


@dataclass(frozen=True)
class InvalidFile:
    """A file that cannot be run, and why.

    :param label: the build of QEMU that it cannot be run on, "" for any.
    """

    path: str
    diagnostics: tuple[Diagnostic, ...]
    label: str = ""
