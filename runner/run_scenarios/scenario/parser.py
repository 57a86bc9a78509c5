"""Nodes to typed scenarios: the shape of a file, its imports, its steps. Imports load, schema, steps.

Everything wrong is collected; a file with any finding yields no scenario.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

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
from run_scenarios.scenario.file_schema import LIBRARY, SCENARIO
from run_scenarios.scenario.model import Change, FileText, InvalidFile, Library, Requirements, Scenario, ScenarioFile
from run_scenarios.scenario.step_parser import DiagnosticCollector, check_expressions, parse_steps, refuse_reserved_name
from run_scenarios.steps.argument_types import parse_seconds
from run_scenarios.steps.call import PARAMETER_TYPES, check_type
from run_scenarios.steps.scope import Parameter, Procedure
from run_scenarios.steps.verb import Step
from run_scenarios.syntax.render import find_expressions
from run_scenarios.syntax.schema_validator import find_schema_errors
from run_scenarios.syntax.yaml_loader import load_text, read_source

MAX_CALLS = 50
MAX_IMPORTS = 20
BORROWED_TRUST = "may leave the case's directory, which the arguments of a caller would then do too"
UNTRUSTED = "this file's steps may leave the case's directory, which only the user can let them"


class Reader:
    """Reads files once each, whoever imports them.

    :param texts: the files, by absolute path, if they are not to be looked for; who read them first has judged them.
    :param changes: what is to be other than those texts say.
    :param allow_outside: whether the user lets files say `allow-outside-paths`.
    """

    def __init__(
        self,
        texts: Mapping[str, FileText] | None = None,
        changes: Iterable[Change] = (),
        *,
        allow_outside: bool = False,
    ) -> None:
        self._texts = dict(texts or {})
        self._changes = tuple(changes)
        self._may_look = texts is None
        self._allow_outside = allow_outside or texts is not None
        self._libraries: dict[str, Library | InvalidFile] = {}
        self._reading: list[str] = []

    def read(self, path: Path, shown_as: str) -> Scenario | Library | InvalidFile:
        """Return what a file holds: a scenario, procedures only, or mistakes."""
        known = self._libraries.get(self._identity(path))
        if known is not None:
            return known
        try:
            root = _root(self._load(path, shown_as))
            if root.get("scenario") is None and root.get("procedures") is not None and root.get("steps") is None:
                return self._library(path, shown_as)
            return self._scenario(root, path, shown_as)
        except ScenarioError as error:
            return InvalidFile(shown_as, error.diagnostics)

    def _scenario(self, root: MappingNode, path: Path, shown_as: str) -> Scenario:
        found = DiagnosticCollector()
        found.extend(find_schema_errors(root, SCENARIO, "the scenario"))
        _refuse_expressions(root, found)
        _check_variables(root, found)
        library = Library()
        with found:
            self._declare(root, path, shown_as, library, found)
        steps = parse_steps(root.get("steps"), library.visible, not _leaves(root), found)
        with found:
            _refuse_recursion(library.own.values())
        found.raise_any()
        texts = {_absolute(path): self._texts.pop(_absolute(path)), **library.texts}
        return _scenario_of(root, _file_of(root, path, shown_as, texts), steps, library.visible)

    def _library(self, path: Path, shown_as: str) -> Library | InvalidFile:
        key = self._identity(path)
        if key not in self._libraries:
            self._reading.append(key)
            try:
                self._libraries[key] = self._read_library(path, shown_as)
            except ScenarioError as error:
                self._libraries[key] = InvalidFile(shown_as, error.diagnostics)
            finally:
                self._reading.pop()
        return self._libraries[key]

    def _read_library(self, path: Path, shown_as: str) -> Library:
        root = _root(self._load(path, shown_as))
        _refuse_scenario(root)
        found = DiagnosticCollector()
        found.extend(find_schema_errors(root, LIBRARY, "the file of procedures"))
        _refuse_expressions(root, found)
        library = Library(texts={_absolute(path): self._texts[_absolute(path)]})
        with found:
            self._declare(root, path, shown_as, library, found)
        with found:
            _refuse_recursion(library.own.values())
        found.raise_any()
        return library

    def _identity(self, path: Path) -> str:
        known = self._texts.get(_absolute(path))
        return known.identity if known else _resolved(path)

    def _load(self, path: Path, shown_as: str) -> Node:
        name = _absolute(path)
        if self._may_look:
            self._texts[name] = FileText(_resolved(path), read_source(path, shown_as))
        root = load_text(self._texts[name].source)
        for change in self._changes:
            root = replace_at_path(root, change.path, change.value) if change.at == name else root
        return root

    def _declare(
        self, root: MappingNode, path: Path, shown_as: str, library: Library, found: DiagnosticCollector
    ) -> None:
        entry = root.entry("allow-outside-paths")
        library.may_leave = _leaves(root)
        if entry and _leaves(root) and not self._allow_outside:
            found.extend([Diagnostic(entry.span, UNTRUSTED, "if you trust the file, run with --allow-outside")])
        imports, procedures = root.get("import"), root.get("procedures")
        for node in imports if isinstance(imports, SequenceNode) else ():
            if not isinstance(node, ScalarNode) or not isinstance(node.value, str) or not node.value:
                continue  # The schema has reported it.
            with found:
                imported = self._import(node, node.value, path, shown_as)
                if imported.may_leave and not _leaves(root):
                    raise scenario_error(
                        node.span, f"'{node.value}' {BORROWED_TRUST}", "say it here too: allow-outside-paths: true"
                    )
                _merge(library, imported, node)
        for entry in procedures if isinstance(procedures, MappingNode) else ():
            if not isinstance(entry.value, MappingNode):
                continue
            with found:
                procedure = _procedure(entry, library.visible, not _leaves(root), found)
                if entry.key in library.visible:
                    other = library.visible[entry.key].span
                    raise scenario_error(
                        entry.span, f"procedure '{entry.key}' is there already", f"imported from {other}"
                    )
                library.own[entry.key] = procedure
        library.visible.update(library.own)

    def _import(self, node: ScalarNode, name: str, path: Path, shown_as: str) -> Library:
        if Path(name).is_absolute():
            raise scenario_error(node.span, f"'{name}' is an absolute path", "import by a path relative to this file")
        target = path.parent / name
        shown = os.path.normpath(Path(shown_as).parent / name)
        if self._identity(target) in (*self._reading, self._identity(path)):
            raise scenario_error(
                node.span, f"'{name}' is imported in a circle", "move what both need into a third file"
            )
        if len(self._reading) > MAX_IMPORTS:
            raise scenario_error(node.span, f"imports nested more than {MAX_IMPORTS} deep")
        is_known = self._identity(target) in self._libraries
        if self._may_look and not is_known and not target.is_file():
            raise scenario_error(node.span, f"no such file: '{shown}'", _near(target))
        if not {target.suffix, target.suffix if is_known else target.resolve().suffix} <= {".yaml", ".yml"}:
            # What is wrong with a file is shown with the line: nobody shall have any file shown by importing it.
            raise scenario_error(
                node.span, f"'{name}' is no YAML file", "the name of a file of procedures ends in .yaml"
            )
        library = self._library(target, shown)
        if isinstance(library, Library):
            return library
        if self._reading:
            raise ScenarioError(*library.diagnostics)
        here = Diagnostic(node.span, f"'{name}' cannot be imported", f"see {library.diagnostics[0].span}")
        raise ScenarioError(*library.diagnostics, here)


def parse_again(file: ScenarioFile) -> Scenario:
    """Return what is in a file that was read before and found right."""
    scenario = Reader(file.texts, file.changes).read(Path(file.at), file.path)
    assert isinstance(scenario, Scenario), "its text has not changed"
    return scenario


def _absolute(path: Path) -> str:
    return os.path.normpath(path.absolute())


@lru_cache(maxsize=1024)
def _resolved_directory(name: str) -> str:
    return os.path.realpath(name)


def _resolved(path: Path) -> str:
    """Return the path without symbolic links; those in directories are looked for once."""
    name = _absolute(path)
    directory, _, last = name.rpartition("/")
    return os.path.realpath(name) if Path(name).is_symlink() else f"{_resolved_directory(directory or '/')}/{last}"


def _near(target: Path) -> str:
    """Return what else an import may have meant."""
    if target.is_dir():
        return "it is a directory: import the files in it"
    if not target.parent.is_dir():
        return "there is no such directory: a path is relative to the importing file"
    there = [each.name for each in sorted(target.parent.glob("*.y*ml"))]
    return did_you_mean(target.name, there, "a path is relative to the importing file")


def _refuse_scenario(root: MappingNode) -> None:
    entry = root.entry("scenario") or root.entry("steps")
    if entry is not None and root.get("procedures") is None:
        raise scenario_error(
            entry.span, "a scenario cannot be imported", "move what both need into a file with 'procedures' only"
        )


def _refuse_expressions(root: MappingNode, found: DiagnosticCollector) -> None:
    """Refuse expressions where they would be read before any variable is known."""
    for entry in _read_early(root):
        for expression in find_expressions(entry.value):
            found.extend([Diagnostic(expression.span, f"an expression within '{entry.key}'", "write the value out")])


def _read_early(parts: MappingNode) -> Iterator[Entry]:
    """Yield what is read with the file, of the file or a procedure: all but its steps and what it returns."""
    for entry in parts:
        if entry.key == "procedures" and isinstance(entry.value, MappingNode):
            for procedure in entry.value:
                yield from _read_early(procedure.value) if isinstance(procedure.value, MappingNode) else [procedure]
        elif entry.key != "returns" and not (entry.key == "steps" and isinstance(entry.value, SequenceNode)):
            yield entry


def _check_variables(root: MappingNode, found: DiagnosticCollector) -> None:
    matrix = root.get("matrix")
    for entry in _declared_variables(root):
        with found:
            refuse_reserved_name(entry.key, entry.span)
        if isinstance(matrix, MappingNode) and entry.key in _dimensions(matrix):
            found.extend([Diagnostic(entry.span, f"the matrix has a dimension '{entry.key}' as well", "remove one")])


def _declared_variables(root: MappingNode) -> Iterable[Entry]:
    variables = root.get("variables")
    return variables if isinstance(variables, MappingNode) else ()


def _dimensions(matrix: MappingNode) -> set[str]:
    """Return the names that a matrix gives values, in its combinations too."""
    included = matrix.get("include")
    combinations = (
        [node for node in included if isinstance(node, MappingNode)] if isinstance(included, SequenceNode) else []
    )
    every = {entry.key for node in (matrix, *combinations) for entry in node}
    return every - {"include", "exclude", "because"}


def _root(node: Node) -> MappingNode:
    if not isinstance(node, MappingNode):
        raise scenario_error(node.span, "a scenario file must be a mapping", "begin with 'scenario: a title'")
    return node


def _leaves(root: MappingNode) -> bool:
    """Tell whether a file says that its steps may leave the case's directory."""
    says = root.get("allow-outside-paths")
    return isinstance(says, ScalarNode) and says.value is True


def _merge(library: Library, imported: Library, node: Node) -> None:
    for name, procedure in imported.own.items():
        known = library.visible.get(name)
        if known is not None and known is not procedure:
            raise scenario_error(node.span, f"procedure '{name}' is imported twice", f"from {known.span} as well")
        library.visible[name] = procedure
    library.texts.update(imported.texts)


def _file_of(root: MappingNode, path: Path, shown_as: str, texts: dict[str, FileText]) -> ScenarioFile:
    return ScenarioFile(_absolute(path), shown_as, _text(root.get("scenario")), _texts(root.get("tags")), texts)


def _scenario_of(
    root: MappingNode, file: ScenarioFile, steps: tuple[Step, ...], procedures: dict[str, Procedure]
) -> Scenario:
    title, timeout, matrix = root.entry("scenario"), root.get("timeout"), root.get("matrix")
    assert title
    requires = root.get("requires")
    return Scenario(
        file=file,
        path=file.path,
        title=file.title,
        span=title.span,
        summary=_text(root.get("summary")),
        tags=file.tags,
        requires=_requirements(requires) if isinstance(requires, MappingNode) else Requirements(),
        variables=tuple(_declared_variables(root)),
        matrix=matrix if isinstance(matrix, MappingNode) else None,
        timeout_s=parse_seconds(timeout) if timeout else None,
        expected_failure=_text(root.get("expected-failure")),
        steps=steps,
        procedures=procedures,
    )


def _text(node: Node | None) -> str:
    return " ".join(str(to_partial(node)).split()) if node else ""


def _texts(node: Node | None) -> tuple[str, ...]:
    return tuple(str(to_json(item)) for item in node) if isinstance(node, SequenceNode) else ()


def _requirements(node: MappingNode) -> Requirements:
    lists = {entry.key: _texts(entry.value) for entry in node if entry.key != "qemu"}
    places = {_text(item): item.span for entry in node if isinstance(entry.value, SequenceNode) for item in entry.value}
    return Requirements(_text(node.get("qemu")), lists, places)


def _procedure(entry: Entry, visible: dict[str, Procedure], confined: bool, found: DiagnosticCollector) -> Procedure:
    assert isinstance(entry.value, MappingNode)
    parameters = entry.value.get("parameters")
    declared = parameters if isinstance(parameters, MappingNode) else ()
    returns = entry.value.get("returns")
    if returns is not None:
        check_expressions(returns, found)
    return Procedure(
        entry.key,
        entry.span,
        {each.key: _parameter(each) for each in declared},
        parse_steps(entry.value.get("steps"), visible, confined, found),
        returns,
        visible,
    )


def _parameter(entry: Entry) -> Parameter:
    refuse_reserved_name(entry.key, entry.span)
    if not isinstance(entry.value, MappingNode):
        return Parameter(entry.key, _text(entry.value), None, entry.span)
    kind, default = _text(entry.value.get("type")), entry.value.get("default")
    if default is not None and not default.dynamic and kind in PARAMETER_TYPES:
        check_type(to_json(default), kind, default.span, f"the default of '{entry.key}'")
    return Parameter(entry.key, kind, default, entry.span)


def _refuse_recursion(procedures: Iterable[Procedure]) -> None:
    """Refuse procedures that call each other in a circle; an import cannot close one, for imports have no circles."""
    own = {procedure.name: procedure for procedure in procedures}
    done: set[str] = set()

    def visit(name: str, span: Span, path: tuple[str, ...]) -> None:
        if len(path) > MAX_CALLS:
            raise scenario_error(span, f"calls nested more than {MAX_CALLS} deep")
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
