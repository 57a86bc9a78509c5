"""Check every step that uses QMP against the schema of the program it talks to, before any step runs.

An earlier step of the case launched the step's VM, which decides whether QEMU or qemu-storage-daemon answers.

A step with `error` may be wrong on purpose, but most are not. Such a step is not checked only if it expects the answer
to a wrong message: the class CommandNotFound, or a `desc` in the words of QEMU's input visitor (`REFUSAL`).
If the value of a step's `when` is not known before the run, the step may never run on this QEMU: mistakes in it are
warnings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import MappingNode, Node, ScalarNode, SequenceNode, UnknownNode
from run_scenarios.qmp.expectation_checker import check_expected
from run_scenarios.qmp.introspection import SchemaProvider
from run_scenarios.qmp.message_checker import (
    check_arguments,
    check_event,
    check_event_name,
    check_message,
    find_command,
)
from run_scenarios.qmp.requirement_checker import find_unknown_requirements
from run_scenarios.qmp.result_types import ARGUMENTS, ERRORS, RESULTS, describe_results
from run_scenarios.qmp.schema import QMP_PROGRAMS, QmpSchema
from run_scenarios.qmp.types import Version
from run_scenarios.scenario.confinement import check_offered_command
from run_scenarios.scenario.dry_run import VisitedStep, VisitedSteps
from run_scenarios.scenario.model import Requirements, Scenario

FindUnmetRequirement = Callable[[Requirements, QmpSchema], str]
# Source: qapi/qobject-input-visitor.c, qapi/qapi-visit-core.c, qapi/qmp-dispatch.c.
REFUSAL = re.compile(
    r"[Ii]nvalid parameter|does not accept value|unexpected|missing|expected:|expects u?int|not been found|support OOB"
)
LAUNCHED = {"blockdev": "blockdev-add", "objects": "object-add", "export": "block-export-add"}
"""The keys of `launch` whose items are arguments of a QMP command, and that command."""


class QmpChecker:
    """Checks the QMP of all scenarios of a run against one build of QEMU.

    :param schemas: provides the schema of each program; without that of QEMU, its messages and events are not checked.
    :param find_unmet_requirement: returns the requirement that a schema does not meet, "" if it meets all; the steps
        of a scenario that is skipped are not checked.
    """

    def __init__(self, schemas: SchemaProvider, find_unmet_requirement: FindUnmetRequirement) -> None:
        self._warnings: dict[str, Diagnostic] = {}
        self._schemas = schemas
        self._find_unmet_requirement = find_unmet_requirement

    def check(self, scenario: Scenario, cases: Iterable[VisitedSteps], is_run: bool = True) -> list[Diagnostic]:
        """Return the errors in a scenario, and keep its warnings for `take_warnings`.

        :param cases: the visited steps of each case; those that `is_checked` accepts are enough.
        :param is_run: whether one of the cases is to be run if nothing is wrong.
        """
        found = self._schemas.find("qemu", is_run=is_run)
        schema = found if isinstance(found, QmpSchema) else None
        errors = dict.fromkeys(find_unknown_requirements(scenario, schema))
        if schema is None or not self._find_unmet_requirement(scenario.requires, schema):
            for visits in cases:
                errors |= dict.fromkeys(self._check_case(visits, schema, is_run))
        return list(errors)

    def take_warnings(self) -> list[Diagnostic]:
        """Return the warnings since the last call, mostly of deprecated names: one for each message."""
        warnings = list(self._warnings.values())
        self._warnings.clear()
        return warnings

    def load_schemas(self) -> None:
        """Find every schema that checks may need, so that forked processes share them."""
        for program in QMP_PROGRAMS:
            self._schemas.find(program, is_run=True)

    def _check_case(self, visits: VisitedSteps, qemu: QmpSchema | None, is_run: bool) -> Iterator[Diagnostic]:
        programs: dict[str, str | None] = {}
        version = qemu.version if qemu else None
        for visit in filter(is_checked, visits):
            yield from self._keep_warnings(visit, _check_expectations(visit, version))
            if qemu is None or visit.step.verb.NAME not in CHECKS:
                continue
            vm = visit.vm or ""
            if visit.step.verb.NAME == "launch":
                programs[vm] = _find_program(visit.argument)
            program = programs.get(vm, "qemu")
            if program is None or _may_be_wrong_on_purpose(visit.modifiers.get("error")):
                continue
            schema = self._schemas.find(program, is_run=is_run)
            if isinstance(schema, QmpSchema):
                yield from self._keep_warnings(visit, CHECKS[visit.step.verb.NAME](visit, schema))

    def _keep_warnings(self, visit: VisitedStep, found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
        """Yield the errors in a step, and keep its warnings."""
        may_not_run = isinstance(visit.modifiers.get("when"), UnknownNode)
        for each in found:
            if may_not_run or each.severity == "warning":
                self._warnings.setdefault(each.message, replace(each, severity="warning"))
            else:
                yield each


def is_checked(visit: VisitedStep) -> bool:
    """Tell whether a step has anything that `QmpChecker` checks."""
    name = visit.step.verb.NAME
    return name in CHECKS or name in ARGUMENTS or name in RESULTS or name in ERRORS


def _find_program(argument: Node) -> str | None:
    """Return the program that a `launch` starts, None if it is not known before the run."""
    if isinstance(argument, ScalarNode):
        return "qemu"
    node = argument.get("program") if isinstance(argument, MappingNode) else argument
    return str(node.value) if isinstance(node, ScalarNode) else "qemu" if node is None else None


def _may_be_wrong_on_purpose(error: Node | None) -> bool:
    if not isinstance(error, MappingNode):
        return isinstance(error, UnknownNode)
    expected = [*_find_texts(error.get("class")), *_find_texts(error.get("desc"))]
    return any(text is None or text == "CommandNotFound" or REFUSAL.search(text) for text in expected)


def _find_texts(expected: Node | None) -> Iterator[str | None]:
    """Yield the strings in an expected value, however deep in operators; None for one that is not known."""
    match expected:
        case ScalarNode(value=str() as text):
            yield text
        case UnknownNode():
            yield None
        case SequenceNode():
            for item in expected:
                yield from _find_texts(item)
        case MappingNode():
            for entry in expected:
                yield from _find_texts(entry.value)


def _check_expectations(visit: VisitedStep, version: Version | None) -> Iterator[Diagnostic]:
    """Check the expected result and error of any verb, and arguments that hold expected values."""
    name, types = visit.step.verb.NAME, describe_results(version)
    modifiers, argument = visit.modifiers, visit.argument
    if name in RESULTS and "expect" in modifiers:
        yield from check_expected(modifiers["expect"], RESULTS[name], f"the result of '{name}'", types)
    if name in ERRORS and "error" in modifiers:
        yield from check_expected(modifiers["error"], ERRORS[name], f"the error of '{name}'", types)
    for key, type_ in ARGUMENTS.get(name, {}).items():
        entry = argument.entry(key.removeprefix("*")) if isinstance(argument, MappingNode) else None
        if entry:
            optional = key.startswith("*")
            yield from check_expected(entry.value, type_, f"'{entry.key}'", types, optional=optional)


def _check_qmp(visit: VisitedStep, schema: QmpSchema) -> Iterator[Diagnostic]:
    argument, expect = visit.argument, visit.modifiers.get("expect")
    yield from check_message(argument, schema)
    entry = find_command(argument)
    name = str(node.value) if isinstance(node := entry.value if entry else argument, ScalarNode) else ""
    if name not in schema.commands:
        return
    if visit.step.confined and isinstance(node, ScalarNode):
        yield from check_offered_command(name, node.span)
    if expect is not None:
        yield from check_expected(expect, schema.commands[name].returns, f"the result of '{name}'", schema)


def _check_event_step(visit: VisitedStep, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Check the verbs of events, which take a name or `{name, match, expect}`, and the result of `wait-event`."""
    parts = visit.argument if isinstance(visit.argument, MappingNode) else None
    node = parts.get("name") if parts else visit.argument
    if node is not None:
        yield from check_event_name(node, schema)
    name = str(node.value or "") if isinstance(node, ScalarNode) else ""
    result = visit.modifiers.get("expect") if visit.step.verb.NAME == "wait-event" else None
    for expected in (parts and parts.get("match"), parts and parts.get("expect"), result):
        if expected is not None:
            yield from check_event(name, expected, schema)


def _check_launch(visit: VisitedStep, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Check objects on the command line as QEMU does: each is the arguments of a command."""
    for key, command in LAUNCHED.items():
        objects = visit.argument.get(key) if isinstance(visit.argument, MappingNode) else None
        for each in objects if isinstance(objects, SequenceNode) and command in schema.commands else ():
            yield from check_arguments(command, each, each.span, schema)


CHECKS: dict[str, Callable[[VisitedStep, QmpSchema], Iterator[Diagnostic]]] = {
    "qmp": _check_qmp,
    "wait-event": _check_event_step,
    "assert-no-events": _check_event_step,
    "forget-events": _check_event_step,
    "launch": _check_launch,
}
