"""Nodes to typed scenarios: the shape of a file, its imports, its steps. Imports load, schema, steps.

Everything wrong is collected; a file with any finding yields no scenario.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import Diagnostic, ScenarioError, Span, did_you_mean, mistake
from runner.expressions import template_of
from runner.load import load_file
from runner.match import check_matcher
from runner.nodes import Entry, Expression, Mapping, Node, Scalar, Sequence, mapping, to_json
from runner.programs import TOOLS
from runner.schema import problems
from runner.steps import VERBS
from runner.steps.base import Parameter, Procedure, Step, Verb
from runner.steps.call import PARAMETER_TYPES, check_type
from runner.steps.shapes import BOOLEAN, DURATION_SCHEMA, TEXT, described, list_of, one_of, record, seconds_of

VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$"
RESERVED = frozenset({"omit", "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else"})
NAMES = described(list_of(TEXT), "names")
SCALAR: dict[str, Any] = {"type": ["string", "integer", "number", "boolean", "null"]}
MATRIX: dict[str, Any] = {
    "type": "object",
    "description": "the dimensions with their values; the file becomes one case for each combination",
    "minProperties": 1,
    "properties": {
        "exclude": described(list_of({"type": "object", "minProperties": 1}), "combinations to leave out, and `because`"),
        "include": described(list_of({"type": "object", "minProperties": 1}), "further combinations"),
    },
    "propertyNames": {"pattern": VARIABLE},
    "additionalProperties": list_of(SCALAR),
}
REQUIRES: dict[str, Any] = record(
    [],
    qemu=described(
        {"type": "string", "pattern": r"^\s*(>=|<)\s*[0-9]+(\.[0-9]+){0,2}\s*$", "title": "a version such as '>= 8.0'"},
        "the version of QEMU, such as `>= 8.0`",
    ),
    commands=described(NAMES, "QMP commands"),
    features=described(NAMES, "features of QMP commands or events, as `command/feature`"),
    formats=described(NAMES, "image formats that qemu-img knows"),
    tools=described(list_of(one_of(*TOOLS)), "programs that must be there"),
    accelerators=described(NAMES, "accelerators that QEMU was built with"),
)
PROCEDURE: dict[str, Any] = record(
    ["steps"],
    summary=described(TEXT, "what it does, for the reader"),
    parameters={
        "type": "object",
        "description": "its parameters, each with its type or as `{type, default}`",
        "propertyNames": {"pattern": VARIABLE},
        "additionalProperties": {
            "anyOf": [one_of(*PARAMETER_TYPES), record(["type"], type=one_of(*PARAMETER_TYPES), default={})],
        },
    },
    steps=described({"type": "array", "minItems": 1}, "its steps"),
    returns={"description": "the value of the call, as an expression or a mapping of them"},
)
PROCEDURES: dict[str, Any] = {
    "type": "object",
    "description": "procedures of this file, by name",
    "minProperties": 1,
    "additionalProperties": PROCEDURE,
}
SHARED: dict[str, Any] = {
    "import_": described(list_of(TEXT), "files of procedures, relative to this one"),
    "procedures": PROCEDURES,
    "allow_outside_paths": described(BOOLEAN, "let files of this file's steps be outside the case's directory"),
}
SCENARIO: dict[str, Any] = record(
    ["scenario", "steps"],
    scenario=described(TEXT, "the title"),
    summary=described(TEXT, "what it shows"),
    tags=described(list_of(TEXT), "words to select it by"),
    requires=described(REQUIRES, "what the QEMU under test must offer; without it the cases are skipped"),
    matrix=MATRIX,
    timeout=described(DURATION_SCHEMA, "how long one case may take; 180 s by default"),
    expected_failure=described(TEXT, "why it is known to fail; then it is reported as TODO, and as failed if it passes"),
    steps=described({"type": "array", "minItems": 1}, "the steps"),
    **SHARED,
)
LIBRARY: dict[str, Any] = record(["procedures"], summary=described(TEXT, "what the file offers"), **SHARED)
MODIFIERS: dict[str, Any] = {
    "name": described(TEXT, "what the step is for, shown in reports"),
    "when": described({"anyOf": [{"type": "boolean"}]}, "run the step only if this expression is true"),
    "vm": described(TEXT, "the VM that the step is about; `vm` by default"),
    "timeout": described(DURATION_SCHEMA, "how long the step may take; 60 s by default"),
    "save": described({"type": "string", "pattern": VARIABLE}, "a variable for the step's result"),
    "error": {"description": "how the step must fail: an expected value for its error"},
    "expect": {"description": "what must hold of the step's result: an expected value"},
}


@dataclass(frozen=True)
class Requirements:
    """What a scenario needs of the QEMU under test, each list with the place it was written."""

    qemu: str = ""
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.qemu or self.lists)


@dataclass(frozen=True, eq=False)
class Scenario:
    """One checked scenario file."""

    path: str
    title: str
    span: Span
    summary: str
    tags: tuple[str, ...]
    requires: Requirements
    matrix: Mapping | None
    timeout_s: float | None
    expected_failure: str
    steps: tuple[Step, ...]
    procedures: dict[str, Procedure]


@dataclass(eq=False)
class Library:
    """The procedures that a file declares, and those it sees; filled while its imports are resolved."""

    own: dict[str, Procedure] = field(default_factory=dict)
    visible: dict[str, Procedure] = field(default_factory=dict)


@dataclass(frozen=True)
class BadFile:
    """A file that cannot be run, and why."""

    path: str
    diagnostics: tuple[Diagnostic, ...]


class Reader:
    """Reads files once each, whoever imports them."""

    def __init__(self) -> None:
        self._libraries: dict[Path, Library | BadFile] = {}
        self._reading: list[Path] = []

    def read(self, path: Path, shown_as: str) -> Scenario | Library | BadFile:
        """Return what a file holds: a scenario, procedures only, or mistakes."""
        if path.resolve() in self._libraries:
            return self._libraries[path.resolve()]
        try:
            root = _root(load_file(path, shown_as))
            if root.get("scenario") is None and root.get("procedures") is not None and root.get("steps") is None:
                return self._library(path, shown_as)
            return self._scenario(root, path, shown_as)
        except ScenarioError as error:
            return BadFile(shown_as, error.diagnostics)

    def _scenario(self, root: Mapping, path: Path, shown_as: str) -> Scenario:
        found = _Findings()
        found.extend(problems(root, SCENARIO, "the scenario"))
        library = Library()
        with found:
            self._declare(root, path, shown_as, library, found)
        steps = _steps(root.get("steps"), library.visible, _confined(root), found)
        with found:
            _refuse_recursion(library.own.values())
        found.raise_any()
        return _scenario_of(root, shown_as, steps, library.visible)

    def _library(self, path: Path, shown_as: str) -> Library | BadFile:
        key = path.resolve()
        if key not in self._libraries:
            self._reading.append(key)
            try:
                self._libraries[key] = self._read_library(path, shown_as)
            except ScenarioError as error:
                self._libraries[key] = BadFile(shown_as, error.diagnostics)
            finally:
                self._reading.pop()
        return self._libraries[key]

    def _read_library(self, path: Path, shown_as: str) -> Library:
        root = _root(load_file(path, shown_as))
        found = _Findings()
        found.extend(problems(root, LIBRARY, "the file of procedures"))
        library = Library()
        with found:
            self._declare(root, path, shown_as, library, found)
        with found:
            _refuse_recursion(library.own.values())
        found.raise_any()
        return library

    def _declare(self, root: Mapping, path: Path, shown_as: str, library: Library, found: _Findings) -> None:
        imports, procedures = root.get("import"), root.get("procedures")
        for node in imports if isinstance(imports, Sequence) else ():
            with found:
                _merge(library, self._import(node, path, shown_as), node)
        for entry in procedures if isinstance(procedures, Mapping) else ():
            with found:
                procedure = _procedure(entry, library.visible, _confined(root), found)
                if entry.key in library.visible:
                    other = library.visible[entry.key].span
                    raise mistake(entry.span, f"procedure '{entry.key}' is there already", f"imported from {other}")
                library.own[entry.key] = procedure
        library.visible.update(library.own)

    def _import(self, node: Node, path: Path, shown_as: str) -> Library:
        name = str(to_json(node))
        if Path(name).is_absolute():
            raise mistake(node.span, f"'{name}' is an absolute path", "import by a path relative to this file")
        target = path.parent / name
        shown = str(Path(shown_as).parent / name)
        if target.resolve() in self._reading or target.resolve() == path.resolve():
            raise mistake(node.span, f"'{name}' is imported in a circle", "move what both need into a third file")
        if not target.is_file():
            there = [each.name for each in sorted(target.parent.glob("*.y*ml"))] if target.parent.is_dir() else []
            raise mistake(node.span, f"no such file: '{shown}'", did_you_mean(target.name, there))
        library = self._library(target, shown)
        if isinstance(library, BadFile):
            here = Diagnostic(node.span, f"'{name}' cannot be imported", f"see {library.diagnostics[0].span}")
            raise ScenarioError(*library.diagnostics, here)
        return library


class _Findings:
    """Collects diagnostics; as a context it catches a `ScenarioError` raised within."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        self._found += [each for each in diagnostics if each not in self._found]

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, ScenarioError):
            self.extend(error.diagnostics)
            return True
        return False

    def raise_any(self) -> None:
        if self._found:
            raise ScenarioError(*sorted(self._found, key=lambda each: (each.span.source.path, each.span.line, each.span.column)))


def _root(node: Node) -> Mapping:
    if not isinstance(node, Mapping):
        raise mistake(node.span, "a scenario file must be a mapping", "begin with 'scenario: a title'")
    return node


def _confined(root: Mapping) -> bool:
    allowed = root.get("allow-outside-paths")
    return not (isinstance(allowed, Scalar) and allowed.value is True)


def _merge(library: Library, imported: Library, node: Node) -> None:
    for name, procedure in imported.own.items():
        known = library.visible.get(name)
        if known is not None and known is not procedure:
            raise mistake(node.span, f"procedure '{name}' is imported twice", f"from {known.span} as well")
        library.visible[name] = procedure


def _scenario_of(root: Mapping, path: str, steps: tuple[Step, ...], procedures: dict[str, Procedure]) -> Scenario:
    title, timeout, matrix = root.entry("scenario"), root.get("timeout"), root.get("matrix")
    assert title
    requires = root.get("requires")
    return Scenario(
        path=path,
        title=_text(title.value),
        span=title.span,
        summary=_text(root.get("summary")),
        tags=_texts(root.get("tags")),
        requires=_requirements(requires) if isinstance(requires, Mapping) else Requirements(),
        matrix=matrix if isinstance(matrix, Mapping) else None,
        timeout_s=seconds_of(timeout) if timeout else None,
        expected_failure=_text(root.get("expected-failure")),
        steps=steps,
        procedures=procedures,
    )


def _text(node: Node | None) -> str:
    return " ".join(str(to_json(node)).split()) if node else ""


def _texts(node: Node | None) -> tuple[str, ...]:
    return tuple(str(to_json(item)) for item in node) if isinstance(node, Sequence) else ()


def _requirements(node: Mapping) -> Requirements:
    lists = {entry.key: _texts(entry.value) for entry in node if entry.key != "qemu"}
    return Requirements(_text(node.get("qemu")), lists)


def _procedure(entry: Entry, visible: dict[str, Procedure], confined: bool, found: _Findings) -> Procedure:
    if not isinstance(entry.value, Mapping):
        raise ScenarioError(*problems(entry.value, PROCEDURE, f"'{entry.key}'"))
    parameters = entry.value.get("parameters")
    declared = parameters if isinstance(parameters, Mapping) else ()
    returns = entry.value.get("returns")
    if returns is not None:
        _check_expressions(returns, found)
    return Procedure(
        entry.key,
        entry.span,
        {each.key: _parameter(each) for each in declared},
        _steps(entry.value.get("steps"), visible, confined, found),
        returns,
        visible,
    )


def _parameter(entry: Entry) -> Parameter:
    if entry.key in RESERVED:
        raise mistake(entry.span, f"'{entry.key}' means something in expressions already", "choose another name")
    if not isinstance(entry.value, Mapping):
        return Parameter(entry.key, _text(entry.value), None, entry.span)
    kind, default = _text(entry.value.get("type")), entry.value.get("default")
    if default is not None and default.dynamic:
        raise mistake(default.span, "a default cannot be an expression")
    if default is not None and kind in PARAMETER_TYPES:
        check_type(to_json(default), kind, default.span, f"the default of '{entry.key}'")
    return Parameter(entry.key, kind, default, entry.span)


def _steps(
    node: Node | None, procedures: dict[str, Procedure], confined: bool, found: _Findings
) -> tuple[Step, ...]:
    steps = []
    for item in node if isinstance(node, Sequence) else ():
        with found:
            steps.append(_step(item, procedures, confined, found))
    return tuple(steps)


def _step(node: Node, procedures: dict[str, Procedure], confined: bool, found: _Findings) -> Step:
    parts = _as_mapping(node)
    entry = _verb_entry(parts)
    verb = VERBS[entry.key]
    _check_keys(parts, verb, entry)
    argument = _argument(parts, verb, entry)
    modifiers = {key: value for key in MODIFIERS if (value := parts.get(key)) is not None}
    step = Step(
        verb,
        entry.span,
        argument,
        _body(parts, verb, entry, procedures, confined, found),
        confined,
        **{key: modifiers.get(key) for key in ("name", "when", "vm", "timeout", "error", "expect")},
        save=_save(modifiers.get("save")),
    )
    for part in (argument, *modifiers.values()):
        _check_expressions(part, found)
    for key, value in modifiers.items():
        found.extend(problems(value, MODIFIERS[key], f"'{key}'"))
    for matcher in filter(None, (step.error, step.expect)):
        check_matcher(matcher)
    findings = argument_problems(verb, argument, confined=confined)
    found.extend(findings)
    if not findings and not argument.dynamic:
        verb.parse(argument)
    return step


def argument_problems(verb: type[Verb], argument: Node, *, confined: bool) -> list[Diagnostic]:
    """Return what the schemas of a verb refuse in its argument; an expression not evaluated yet is not refused."""
    if not verb.COMPANIONS:
        return problems(argument, verb.SCHEMA, f"'{verb.NAME}'", confined=confined)
    assert isinstance(argument, Mapping)
    schemas = {verb.NAME: verb.SCHEMA, **verb.COMPANIONS}
    return [each for part in argument for each in problems(part.value, schemas[part.key], f"'{part.key}'", confined=confined)]


def _as_mapping(node: Node) -> Mapping:
    if isinstance(node, Mapping):
        return node
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return mapping(node.span, (Entry(node.value, node.span, Scalar(node.span, None)),))
    raise mistake(node.span, "a step is a mapping with one verb, or a verb alone", "- shutdown")


def _verb_entry(parts: Mapping) -> Entry:
    verbs = [entry for entry in parts if entry.key in VERBS]
    if len(verbs) == 1:
        return verbs[0]
    if len(verbs) > 1:
        raise mistake(verbs[1].span, f"a second verb, '{verbs[1].key}', in one step", "begin a new step with '-'")
    strange = [entry for entry in parts if entry.key not in MODIFIERS and entry.key not in ("steps", "with")]
    if not strange:
        raise mistake(parts.span, "a step without a verb", f"verbs: {', '.join(VERBS)}")
    key = strange[0]
    raise mistake(key.span, f"unknown verb '{key.key}'", did_you_mean(key.key, VERBS, f"verbs: {', '.join(VERBS)}"))


def _check_keys(parts: Mapping, verb: type[Verb], entry: Entry) -> None:
    companions = (*verb.COMPANIONS, *(("steps",) if verb.TAKES_STEPS else ()))
    known = (verb.NAME, *companions, *MODIFIERS)
    refused = []
    for each in parts:
        if each.key not in known:
            inside = each.key in verb.SCHEMA.get("properties", {})
            hint = f"indent it further: it belongs into '{verb.NAME}'" if inside else ""
            text = f"unknown key '{each.key}' beside '{verb.NAME}'"
            refused.append(Diagnostic(each.span, text, hint or did_you_mean(each.key, known, f"keys: {', '.join(known)}")))
        elif each.key in ("save", "expect") and not verb.RESULT and not (each.key == "save" and parts.get("error")):
            refused.append(Diagnostic(each.span, f"'{verb.NAME}' has no result to {each.key}"))
        elif each.key == "error" and not verb.FAILS_WITH:
            refused.append(Diagnostic(each.span, f"'{verb.NAME}' has no error to expect"))
        elif each.key == "expect" and parts.get("error") is not None:
            refused.append(Diagnostic(each.span, "'expect' beside 'error': a step that fails has no result"))
    if refused:
        raise ScenarioError(*refused)
    if verb.TAKES_STEPS and parts.get("steps") is None:
        raise mistake(entry.span, f"'{verb.NAME}' needs 'steps' beside it")


def _argument(parts: Mapping, verb: type[Verb], entry: Entry) -> Node:
    if not verb.COMPANIONS:
        return entry.value
    if isinstance(entry.value, Expression):
        raise mistake(entry.value.span, f"'{verb.NAME}' takes a plain name, not an expression")
    return mapping(parts.span, tuple(each for each in parts if each.key == verb.NAME or each.key in verb.COMPANIONS))


def _body(
    parts: Mapping, verb: type[Verb], entry: Entry, procedures: dict[str, Procedure], confined: bool, found: _Findings
) -> tuple[Step, ...]:
    steps = parts.get("steps")
    if steps is None:
        return ()
    if not isinstance(steps, Sequence) or not steps.items:
        raise mistake(steps.span, f"'steps' of '{entry.key}' must be a list of at least one step")
    return _steps(steps, procedures, confined, found)


def _save(node: Node | None) -> str | None:
    if node is None:
        return None
    name = to_json(node) if isinstance(node, Scalar) else ""
    if name in RESERVED:
        raise mistake(node.span, f"'{name}' means something in expressions already", "choose another name")
    return str(name)


def _check_expressions(node: Node, found: _Findings) -> None:
    for expression in _expressions(node):
        with found:
            template_of(expression)


def _expressions(node: Node) -> Iterator[Expression]:
    if isinstance(node, Expression):
        yield node
    elif isinstance(node, Sequence):
        for item in node:
            yield from _expressions(item)
    elif isinstance(node, Mapping):
        for entry in node:
            yield from _expressions(entry.value)


def _refuse_recursion(procedures: Iterable[Procedure]) -> None:
    """Refuse procedures that call each other in a circle; an import cannot close one, for imports have no circles."""
    own = {procedure.name: procedure for procedure in procedures}
    done: set[str] = set()

    def visit(name: str, span: Span, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " -> ".join((*path[path.index(name) :], name))
            raise mistake(span, f"procedure '{name}' calls itself: {circle}")
        if name in own and name not in done:
            for called, at in calls(own[name].steps):
                visit(called, at, (*path, name))
            done.add(name)

    for procedure in own.values():
        visit(procedure.name, procedure.span, ())


def calls(steps: Iterable[Step]) -> Iterator[tuple[str, Span]]:
    """Yield the name and place of every call in these steps, however deep in blocks."""
    for step in steps:
        name = step.argument.get("call") if step.verb.NAME == "call" and isinstance(step.argument, Mapping) else None
        if isinstance(name, Scalar):
            yield str(name.value), name.span
        yield from calls(step.body)


