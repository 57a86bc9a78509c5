"""Parse scenario files and the files of procedures that they import.

Everything that is wrong is collected; a file with any mistake yields no scenario.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, Self

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.errors import ScenarioError, scenario_error
from run_scenarios.core.nodes import (
    Entry,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    replace_at_path,
    to_json,
    to_partial,
)
from run_scenarios.core.source import Span
from run_scenarios.scenario.diagnostic_collector import DiagnosticCollector
from run_scenarios.scenario.expected_failures import ExpectedFailure, parse_expected_failures
from run_scenarios.scenario.file_schema import LIBRARY, SCENARIO
from run_scenarios.scenario.model import Change, FileText, InvalidFile, Library, Requirements, Scenario, ScenarioFile
from run_scenarios.scenario.step_parser import StepParser, find_variables, refuse_reserved_name
from run_scenarios.steps.argument_types import parse_seconds
from run_scenarios.steps.call import PARAMETER_TYPES, check_type
from run_scenarios.steps.scope import Parameter, Procedure
from run_scenarios.steps.verb import Step
from run_scenarios.syntax.render import find_expressions
from run_scenarios.syntax.schema_validator import find_schema_errors
from run_scenarios.syntax.yaml_loader import load_text, read_source

MAX_CALL_DEPTH = 50
MAX_IMPORT_DEPTH = 20
SUFFIXES = (".yaml", ".yml")
WRONG_SUFFIX = "the name of a file of procedures must end in .yaml or .yml"


class Files(Protocol):
    """Where the text of files comes from."""

    def find_real_path(self, path: Path) -> str:
        """Return the path by which a file is recognized, whatever name or link leads to it."""

    def read(self, path: Path, shown_as: str) -> FileText:
        """Return the text of a file.

        :raise ScenarioError: if it cannot be read.
        """

    def check_import(self, node: Node, target: Path, shown_as: str) -> None:
        """Check that a file not read before may be imported.

        :raise ScenarioError: if it is missing or not a YAML file.
        """


class FilesOnDisk:
    """Files that are read now."""

    def find_real_path(self, path: Path) -> str:
        """Return the path without symbolic links; those in the names of directories are resolved once."""
        name = _make_absolute(path)
        directory, _, last = name.rpartition("/")
        if Path(name).is_symlink():
            return os.path.realpath(name)
        return f"{_resolve_directory(directory or '/')}/{last}"

    def read(self, path: Path, shown_as: str) -> FileText:
        return FileText(self.find_real_path(path), read_source(path, shown_as))

    def check_import(self, node: Node, target: Path, shown_as: str) -> None:
        if not target.is_file():
            raise scenario_error(node.span, f"no such file: '{shown_as}'", _explain_missing(target))
        # Messages show lines of the file: importing must not reveal those of any file that a link leads to.
        if target.resolve().suffix not in SUFFIXES:
            raise scenario_error(node.span, f"'{shown_as}' is not a YAML file", WRONG_SUFFIX)


class KnownFiles:
    """Files that were read and checked before.

    :param texts: by absolute path.
    """

    def __init__(self, texts: Mapping[str, FileText]) -> None:
        self._texts = texts

    def find_real_path(self, path: Path) -> str:
        return self._texts[_make_absolute(path)].real_path

    def read(self, path: Path, shown_as: str) -> FileText:
        return self._texts[_make_absolute(path)]

    def check_import(self, node: Node, target: Path, shown_as: str) -> None:
        return


@dataclass(frozen=True)
class _LoadedFile:
    """A file whose YAML is loaded and not parsed yet."""

    path: Path
    shown_as: str
    text: FileText
    root: MappingNode

    @property
    def absolute_path(self) -> str:
        return _make_absolute(self.path)

    @property
    def allows_outside_paths(self) -> bool:
        allowed = self.root.get("allow-outside-paths")
        return isinstance(allowed, ScalarNode) and allowed.value is True


class Reader:
    """Parses scenario files, and each file of procedures once, however many files import it."""

    def __init__(self, files: Files, changes: Iterable[Change], *, allow_outside: bool) -> None:
        self._files = files
        self._changes = tuple(changes)
        self._allow_outside = allow_outside
        self._libraries: dict[str, Library | InvalidFile] = {}
        self._reading: list[str] = []

    @classmethod
    def from_disk(cls, *, allow_outside: bool = False) -> Self:
        """Return a reader of the files on disk.

        :param allow_outside: whether files with `allow-outside-paths` are accepted.
        """
        return cls(FilesOnDisk(), (), allow_outside=allow_outside)

    @classmethod
    def from_texts(cls, texts: Mapping[str, FileText], changes: Iterable[Change] = ()) -> Self:
        """Return a reader of texts that were read from disk before; nothing is read from there again.

        `allow-outside-paths` is accepted: it was when the texts were first read.

        :param texts: by absolute path.
        :param changes: values that replace those in the texts.
        """
        return cls(KnownFiles(texts), changes, allow_outside=True)

    def read(self, path: Path, shown_as: str) -> Scenario | Library | InvalidFile:
        """Parse a file."""
        known = self._libraries.get(self._files.find_real_path(path))
        if known is not None:
            return known
        try:
            file = self._load(path, shown_as)
            root = file.root
            if root.get("scenario") is None and root.get("procedures") is not None and root.get("steps") is None:
                return self._read_library(path, shown_as)
            return self._parse_scenario(file)
        except ScenarioError as error:
            return InvalidFile(shown_as, error.diagnostics)

    def _load(self, path: Path, shown_as: str) -> _LoadedFile:
        text, name = self._files.read(path, shown_as), _make_absolute(path)
        root = load_text(text.source)
        for change in self._changes:
            root = replace_at_path(root, change.path, change.value) if change.absolute_path == name else root
        if not isinstance(root, MappingNode):
            raise scenario_error(root.span, "a scenario file must be a mapping", "start it with 'scenario: a title'")
        return _LoadedFile(path, shown_as, text, root)

    def _parse_scenario(self, file: _LoadedFile) -> Scenario:
        collector = DiagnosticCollector()
        collector.extend(find_schema_errors(file.root, SCENARIO, "the scenario"))
        _refuse_expressions(file.root, collector)
        _check_variables(file.root, collector)
        library = _make_library(file)
        self._declare_procedures(file, library, collector)
        parser = StepParser(confined=not file.allows_outside_paths, collector=collector)
        steps = parser.parse_steps(file.root.get("steps"))
        with collector:
            _refuse_recursion(library.own.values())
        matrix = file.root.get("matrix")
        dimensions = _list_dimensions(matrix) if isinstance(matrix, MappingNode) else ()
        expected = file.root.get("expected-failure")
        failures = parse_expected_failures(expected, dimensions, steps, library.visible.values(), collector)
        collector.raise_any()
        return _make_scenario(file, steps, library, failures)

    def _read_library(self, path: Path, shown_as: str) -> Library | InvalidFile:
        key = self._files.find_real_path(path)
        if key not in self._libraries:
            self._reading.append(key)
            try:
                self._libraries[key] = self._parse_library(self._load(path, shown_as))
            except ScenarioError as error:
                self._libraries[key] = InvalidFile(shown_as, error.diagnostics)
            finally:
                self._reading.pop()
        return self._libraries[key]

    def _parse_library(self, file: _LoadedFile) -> Library:
        _refuse_scenario(file.root)
        collector = DiagnosticCollector()
        collector.extend(find_schema_errors(file.root, LIBRARY, "the file of procedures"))
        _refuse_expressions(file.root, collector)
        library = _make_library(file)
        self._declare_procedures(file, library, collector)
        with collector:
            _refuse_recursion(library.own.values())
        collector.raise_any()
        return library

    def _declare_procedures(self, file: _LoadedFile, library: Library, collector: DiagnosticCollector) -> None:
        """Add to a library what its file imports, and then what it declares."""
        entry = file.root.entry("allow-outside-paths")
        if entry and file.allows_outside_paths and not self._allow_outside:
            text = "the steps of this file may leave the case's directory, which needs the user's permission"
            collector.add(Diagnostic(entry.span, text, "if you trust the file, run with --allow-outside"))
        imports, procedures = file.root.get("import"), file.root.get("procedures")
        for node in imports if isinstance(imports, SequenceNode) else ():
            # The schema reports any other node.
            if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.value:
                with collector:
                    self._import(file, node, node.value, library)
        parser = StepParser(confined=not file.allows_outside_paths, collector=collector)
        for each in procedures if isinstance(procedures, MappingNode) else ():
            if isinstance(each.value, MappingNode):
                with collector:
                    _declare_procedure(each, each.value, library, parser)
        library.visible.update(library.own)

    def _import(self, file: _LoadedFile, node: ScalarNode, name: str, library: Library) -> None:
        """Add the procedures of an imported file to a library."""
        target = file.path.parent / name
        imported = self._read_import(file, node, name, target)
        if imported.allows_outside_paths and not file.allows_outside_paths:
            text = f"'{name}' may leave the case's directory, and so may the arguments of its callers"
            raise scenario_error(node.span, text, "write 'allow-outside-paths: true' in this file too")
        for procedure in imported.own.values():
            known = library.visible.setdefault(procedure.name, procedure)
            if known is not procedure:
                text = f"another procedure '{procedure.name}' is imported already"
                raise scenario_error(node.span, text, f"from {known.span}")
        library.texts |= {**imported.texts, _make_absolute(target): imported.text}

    def _read_import(self, file: _LoadedFile, node: ScalarNode, name: str, target: Path) -> Library:
        if Path(name).is_absolute():
            raise scenario_error(node.span, f"'{name}' is an absolute path", "write it relative to this file")
        shown_as = os.path.normpath(Path(file.shown_as).parent / name)
        real_path = self._files.find_real_path(target)
        if real_path in (*self._reading, file.text.real_path):
            hint = "move what both files need into a third one"
            raise scenario_error(node.span, f"'{name}' is part of a circular import", hint)
        if len(self._reading) > MAX_IMPORT_DEPTH:
            raise scenario_error(node.span, f"imports nested more than {MAX_IMPORT_DEPTH} deep")
        if real_path not in self._libraries:
            self._files.check_import(node, target, shown_as)
        if target.suffix not in SUFFIXES:
            raise scenario_error(node.span, f"'{name}' is not a YAML file", WRONG_SUFFIX)
        library = self._read_library(target, shown_as)
        if isinstance(library, Library):
            return library
        if self._reading:
            raise ScenarioError(*library.diagnostics)
        here = Diagnostic(node.span, f"'{name}' cannot be imported", f"see {library.diagnostics[0].span}")
        raise ScenarioError(*library.diagnostics, here)


def parse_again(file: ScenarioFile) -> Scenario:
    """Return the scenario of a file that was parsed without errors before."""
    scenario = Reader.from_texts(file.texts, file.changes).read(Path(file.absolute_path), file.path)
    assert isinstance(scenario, Scenario), "its text has not changed"
    return scenario


def _make_absolute(path: Path) -> str:
    return os.path.normpath(path.absolute())


@lru_cache(maxsize=1024)
def _resolve_directory(name: str) -> str:
    return os.path.realpath(name)


def _make_library(file: _LoadedFile) -> Library:
    texts = {file.absolute_path: file.text}
    return Library(file.text, texts=texts, allows_outside_paths=file.allows_outside_paths)


def _explain_missing(target: Path) -> str:
    """Return what an import of a file that does not exist may have meant."""
    if target.is_dir():
        return "this is a directory: import the files in it"
    if not target.parent.is_dir():
        return "its directory does not exist either: a path is relative to the importing file"
    names = [each.name for each in sorted(target.parent.glob("*.y*ml"))]
    return did_you_mean(target.name, names, "a path is relative to the importing file")


def _refuse_scenario(root: MappingNode) -> None:
    entry = root.entry("scenario") or root.entry("steps")
    if entry is not None and root.get("procedures") is None:
        raise scenario_error(
            entry.span, "a scenario cannot be imported", "move what both need into a file with 'procedures' only"
        )


def _refuse_expressions(root: MappingNode, collector: DiagnosticCollector) -> None:
    """Refuse expressions in everything that is read before any variable has a value."""
    for entry in _find_constants(root):
        for expression in find_expressions(entry.value):
            collector.add(Diagnostic(expression.span, f"an expression in '{entry.key}'", "write the value itself"))


def _find_constants(parts: MappingNode) -> Iterator[Entry]:
    """Yield the entries of a file or a procedure, except for steps and the value that a procedure returns."""
    for entry in parts:
        if entry.key == "procedures" and isinstance(entry.value, MappingNode):
            for procedure in entry.value:
                yield from _find_constants(procedure.value) if isinstance(procedure.value, MappingNode) else [procedure]
        elif entry.key != "returns" and not (entry.key == "steps" and isinstance(entry.value, SequenceNode)):
            yield entry


def _check_variables(root: MappingNode, collector: DiagnosticCollector) -> None:
    matrix = root.get("matrix")
    for entry in _list_variables(root):
        with collector:
            refuse_reserved_name(entry.key, entry.span)
        if isinstance(matrix, MappingNode) and entry.key in _list_dimensions(matrix):
            text = f"variable '{entry.key}' is also a dimension of the matrix"
            collector.add(Diagnostic(entry.span, text, "remove one of them"))


def _list_variables(root: MappingNode) -> Iterable[Entry]:
    variables = root.get("variables")
    return variables if isinstance(variables, MappingNode) else ()


def _list_dimensions(matrix: MappingNode) -> set[str]:
    """Return the names that a matrix gives values, in its combinations too."""
    included = matrix.get("include")
    combinations = (
        [node for node in included if isinstance(node, MappingNode)] if isinstance(included, SequenceNode) else []
    )
    names = {entry.key for node in (matrix, *combinations) for entry in node}
    return names - {"include", "exclude", "because"}


def _make_scenario(
    file: _LoadedFile, steps: tuple[Step, ...], library: Library, failures: tuple[ExpectedFailure, ...]
) -> Scenario:
    root = file.root
    title, timeout, matrix, requires = map(root.get, ("scenario", "timeout", "matrix", "requires"))
    entry = root.entry("scenario")
    assert entry, "the schema requires it"
    return Scenario(
        file=ScenarioFile(
            file.absolute_path, file.shown_as, _read_text(title), _read_texts(root.get("tags")), library.texts
        ),
        span=entry.span,
        summary=_read_text(root.get("summary")),
        requires=_read_requirements(requires) if isinstance(requires, MappingNode) else Requirements(),
        variables=tuple(_list_variables(root)),
        matrix=matrix if isinstance(matrix, MappingNode) else None,
        timeout_s=parse_seconds(timeout) if timeout else None,
        expected_failures=failures,
        steps=steps,
        procedures=library.visible,
    )


def _read_text(node: Node | None) -> str:
    return " ".join(str(to_partial(node)).split()) if node else ""


def _read_texts(node: Node | None) -> tuple[str, ...]:
    return tuple(str(to_json(item)) for item in node) if isinstance(node, SequenceNode) else ()


def _read_requirements(node: MappingNode) -> Requirements:
    lists = {entry.key: _read_texts(entry.value) for entry in node if entry.key != "qemu"}
    items = [item for entry in node if isinstance(entry.value, SequenceNode) for item in entry.value]
    return Requirements(_read_text(node.get("qemu")), lists, {_read_text(item): item.span for item in items})


def _declare_procedure(entry: Entry, parts: MappingNode, library: Library, parser: StepParser) -> None:
    """Add a procedure to a library.

    :raise ScenarioError: if a parameter is wrong, or another procedure has the name already.
    """
    declared, returns = parts.get("parameters"), parts.get("returns")
    if returns is not None:
        find_variables(find_expressions(returns), parser.collector)
    parameters = [_parse_parameter(each) for each in declared] if isinstance(declared, MappingNode) else []
    procedure = Procedure(
        name=entry.key,
        span=entry.span,
        parameters={each.name: each for each in parameters},
        steps=parser.parse_steps(parts.get("steps")),
        returns=returns,
        visible=library.visible,
    )
    if imported := library.visible.get(entry.key):
        text = f"a procedure '{entry.key}' is imported already"
        raise scenario_error(entry.span, text, f"from {imported.span}")
    library.own[entry.key] = procedure


def _parse_parameter(entry: Entry) -> Parameter:
    refuse_reserved_name(entry.key, entry.span)
    if not isinstance(entry.value, MappingNode):
        return Parameter(entry.key, _read_text(entry.value), None, entry.span)
    type_, default = _read_text(entry.value.get("type")), entry.value.get("default")
    if default is not None and not default.dynamic and type_ in PARAMETER_TYPES:
        check_type(to_json(default), type_, default.span, f"the default of '{entry.key}'")
    return Parameter(entry.key, type_, default, entry.span)


def _refuse_recursion(procedures: Iterable[Procedure]) -> None:
    """Refuse procedures that call each other in a circle; an import cannot close one, as imports are not circular."""
    own = {procedure.name: procedure for procedure in procedures}
    done: set[str] = set()

    def visit(name: str, span: Span, path: tuple[str, ...]) -> None:
        if len(path) > MAX_CALL_DEPTH:
            raise scenario_error(span, f"calls nested more than {MAX_CALL_DEPTH} deep")
        if name in path:
            circle = " -> ".join((*path[path.index(name) :], name))
            raise scenario_error(span, f"procedure '{name}' calls itself: {circle}")
        if name in own and name not in done:
            for called, at in find_calls(own[name].steps):
                visit(called, at, (*path, name))
            done.add(name)

    for procedure in own.values():
        visit(procedure.name, procedure.span, ())


def find_calls(steps: Iterable[Step]) -> Iterator[tuple[str, Span]]:
    """Yield the name and place of every call in these steps, however deep in blocks."""
    for step in steps:
        name = (
            step.argument.get("call") if step.verb.NAME == "call" and isinstance(step.argument, MappingNode) else None
        )
        if isinstance(name, ScalarNode):
            yield str(name.value), name.span
        yield from find_calls(step.body)
