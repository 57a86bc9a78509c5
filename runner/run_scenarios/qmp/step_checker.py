"""Every step that speaks QMP against the schema of the program it speaks to, before any runs. Imports plan, qapi_check.

A step's `vm` was launched by an earlier step of the case, which tells whether QEMU or qemu-storage-daemon answers.

A step with `error` may be wrong on purpose. It is checked all the same, for most are not, unless what it expects is
the answer to a wrong message: the class CommandNotFound, or a `desc` in the words of QEMU's input visitor (`REFUSAL`).
A step whose `when` only the run will tell may never run on this QEMU: what is wrong with it is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import MappingNode, Node, ScalarNode, SequenceNode, UnknownNode
from run_scenarios.qmp.message_checker import (
    check_arguments,
    check_event,
    check_event_name,
    check_message,
    check_result,
)
from run_scenarios.qmp.schema import QmpSchema
from run_scenarios.scenario.confinement import check_offered_command
from run_scenarios.scenario.dry_run import VisitedStep
from run_scenarios.scenario.model import Requirements, Scenario
from run_scenarios.steps.scope import Procedure
from run_scenarios.steps.verb import Step

Schemas = Callable[[str, bool], QmpSchema | None]
Unmet = Callable[[Requirements, QmpSchema], str]
# Source: qapi/qobject-input-visitor.c, qapi/qapi-visit-core.c, qapi/qmp-dispatch.c.
REFUSAL = re.compile(
    r"[Ii]nvalid parameter|does not accept value|unexpected|missing|expected:|expects u?int|not been found|support OOB"
)
PROGRAMS = ("qemu", "qemu-storage-daemon")
LAUNCHED = {"blockdev": "blockdev-add", "objects": "object-add", "export": "block-export-add"}
TYPO = 0.85


class QmpChecker:
    """The check of a whole run; what is deprecated is gathered, once for each name, until it is `told`.

    :param schemas: gives the schema of a program, None if it is not known; told also whether there is a case to run.
    :param unmet: tells which requirement a schema does not meet; steps that are skipped are not checked.
    """

    def __init__(self, schemas: Schemas, unmet: Unmet) -> None:
        self._deprecated: dict[str, Diagnostic] = {}
        self._schemas = schemas
        self._unmet = unmet

    def check(
        self, scenario: Scenario, cases: Iterable[Sequence[VisitedStep]], to_run: bool = True
    ) -> list[Diagnostic]:
        """Return what is wrong with a scenario.

        :param cases: the steps of each of its cases, in the order they would run; those that speak QMP will do.
        :param to_run: whether one of them is to be run, if nothing is wrong.
        """
        schema = self._schemas("qemu", to_run)
        if schema is None:
            return []
        found = dict.fromkeys(_misspelt_requirements(scenario, schema))
        if not self._unmet(scenario.requires, schema):
            for visits in cases:
                found |= dict.fromkeys(self._check_case(visits, to_run))
        return list(found)

    def told(self) -> list[Diagnostic]:
        """Return what is deprecated and was not told yet."""
        told = list(self._deprecated.values())
        self._deprecated.clear()
        return told

    def prepare(self) -> None:
        """Have every schema ready that may be needed."""
        for program in PROGRAMS:
            self._schemas(program, True)

    def _check_case(self, visits: Sequence[VisitedStep], to_run: bool) -> Iterator[Diagnostic]:
        programs: dict[str, str | None] = {}
        for visit in filter(is_checked, visits):
            vm = visit.vm or ""
            if visit.step.verb.NAME == "launch":
                programs[vm] = _program(visit.argument)
            program = programs.get(vm, "qemu")
            schema = self._schemas(program, to_run) if program else None
            if schema is not None and not _may_be_wrong(visit.modifiers.get("error")):
                yield from self._errors(visit, schema)

    def _errors(self, visit: VisitedStep, schema: QmpSchema) -> Iterator[Diagnostic]:
        unsure = isinstance(visit.modifiers.get("when"), UnknownNode)
        for each in CHECKS[visit.step.verb.NAME](visit, schema):
            if unsure or each.severity == "warning":
                self._warn(replace(each, severity="warning"))
            else:
                yield each

    def _warn(self, diagnostic: Diagnostic) -> None:
        self._deprecated.setdefault(diagnostic.message, diagnostic)


def is_checked(visit: VisitedStep) -> bool:
    """Tell whether there is something to check in a step."""
    return visit.step.verb.NAME in CHECKS


def _program(argument: Node) -> str | None:
    """Return the program that a `launch` starts, None if only the run will tell."""
    if isinstance(argument, ScalarNode):
        return "qemu"
    node = argument.get("program") if isinstance(argument, MappingNode) else argument
    return str(node.value) if isinstance(node, ScalarNode) else "qemu" if node is None else None


def _may_be_wrong(error: Node | None) -> bool:
    if not isinstance(error, MappingNode):
        return isinstance(error, UnknownNode)
    told = [*_texts(error.get("class")), *_texts(error.get("desc"))]
    return any(text is None or text == "CommandNotFound" or REFUSAL.search(text) for text in told)


def _texts(expected: Node | None) -> Iterator[str | None]:
    """Yield the strings of an expected value, however deep in operators; None for one that only the run will tell."""
    match expected:
        case ScalarNode(value=str() as text):
            yield text
        case UnknownNode():
            yield None
        case SequenceNode():
            for item in expected:
                yield from _texts(item)
        case MappingNode():
            for entry in expected:
                yield from _texts(entry.value)


def _qmp(visit: VisitedStep, schema: QmpSchema) -> Iterator[Diagnostic]:
    argument, expect = visit.argument, visit.modifiers.get("expect")
    yield from check_message(argument, schema)
    entry = argument.entry("execute") if isinstance(argument, MappingNode) else None
    name = str(node.value) if isinstance(node := entry.value if entry else argument, ScalarNode) else ""
    if name not in schema.commands:
        return
    if visit.step.confined and isinstance(node, ScalarNode):
        yield from check_offered_command(name, node.span)
    if expect is not None:
        yield from check_result(schema.commands[name], name, expect, schema)


def _event(visit: VisitedStep, schema: QmpSchema) -> Iterator[Diagnostic]:
    """`wait-event` and `assert-no-events`: a name alone, or `{name, match, expect}`."""
    parts = visit.argument if isinstance(visit.argument, MappingNode) else None
    node = parts.get("name") if parts else visit.argument
    if node is not None:
        yield from check_event_name(node, schema)
    name = str(node.value or "") if isinstance(node, ScalarNode) else ""
    for expected in (parts and parts.get("match"), parts and parts.get("expect"), visit.modifiers.get("expect")):
        if expected is not None:
            yield from check_event(name, expected, schema)


def _launch(visit: VisitedStep, schema: QmpSchema) -> Iterator[Diagnostic]:
    """The objects on the command line are arguments of a command each, and QEMU checks them as such."""
    for key, command in LAUNCHED.items():
        objects = visit.argument.get(key) if isinstance(visit.argument, MappingNode) else None
        for each in objects if isinstance(objects, SequenceNode) and command in schema.commands else ():
            yield from check_arguments(command, each, each.span, schema)


CHECKS: dict[str, Callable[[VisitedStep, QmpSchema], Iterator[Diagnostic]]] = {
    "qmp": _qmp,
    "wait-event": _event,
    "assert-no-events": _event,
    "launch": _launch,
}


def _misspelt_requirements(scenario: Scenario, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield the required commands that are one of the scenario's own, misspelt: they would skip it for ever."""
    import difflib

    strange = [name for name in scenario.requires.lists.get("commands", ()) if name not in schema.commands]
    written = set(_commands(scenario.steps, scenario.procedures.values())) if strange else set()
    known = [name for name in written if name in schema.commands]
    for name in strange:
        meant = difflib.get_close_matches(name, known, n=1, cutoff=TYPO)
        if name not in written and meant:
            span = scenario.requires.places.get(name, scenario.span)
            text = f"there is no command '{name}', and no step executes it: the scenario would always be skipped"
            yield Diagnostic(span, text, f"did you mean '{meant[0]}'? ({schema})")


def _commands(steps: Iterable[Step], procedures: Iterable[Procedure]) -> Iterator[str]:
    """Yield the commands that steps name, in messages and as actions of transactions, and those of procedures."""
    for step in steps:
        if step.verb.NAME == "qmp":
            yield from _words(step.argument)
        yield from _commands(step.body, ())
    for procedure in procedures:
        yield from _commands(procedure.steps, ())


def _words(node: Node) -> Iterator[str]:
    match node:
        case ScalarNode(value=str() as text):
            yield text
        case SequenceNode():
            for item in node:
                yield from _words(item)
        case MappingNode():
            for entry in node:
                if entry.key in ("execute", "exec-oob", "type", "arguments", "actions"):
                    yield from _words(entry.value)
