"""Parse `expected-failure`: how a scenario is known to fail, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.events import Outcome
from run_scenarios.core.nodes import MappingNode, Node, SequenceNode, to_json, to_partial
from run_scenarios.core.source import Span
from run_scenarios.scenario.diagnostic_collector import DiagnosticCollector
from run_scenarios.steps.argument_types import (
    MATCHER,
    TEXT,
    VERSION_RANGE,
    document,
    enum_schema,
    list_schema,
    object_schema,
    parse_matcher,
)
from run_scenarios.steps.scope import Procedure
from run_scenarios.steps.verb import Step

OUTCOMES = {outcome.reason: outcome for outcome in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED)}
_FAILURE: dict[str, Any] = object_schema(
    ["because"],
    because=document(TEXT, "why the scenario fails, such as the address of a bug report"),
    step=document(
        {"anyOf": [TEXT, {"type": "integer", "minimum": 1}]},
        "the step that fails: its `name`, or its number in the order of running",
    ),
    message=document(MATCHER, "an expected value for the message of the failure"),
    outcome=document(enum_schema(*OUTCOMES), "the outcome of the case; any of them by default"),
    qemu=document(VERSION_RANGE, "the versions of QEMU with which it fails, such as `< 9.0`; all by default"),
    matrix=document({"type": "object", "minProperties": 1}, "an expected value for the dimensions of the case"),
)
SCHEMA: dict[str, Any] = {
    "anyOf": [TEXT, _FAILURE, list_schema(_FAILURE)],
    "description": "how the scenario is known to fail; such a failure is reported as TODO, and a pass as a failure",
}


@dataclass(frozen=True)
class ExpectedFailure:
    """One way in which a scenario is known to fail.

    :param step: the name of the failed step or its number, None for any.
    :param message: an expected value for the message of the failure, None for any.
    :param outcome: the outcome of the case, None for any failure.
    :param qemu: the range of versions with which it fails, "" for all.
    :param matrix: an expected value for the dimensions of the cases that fail, None for all cases.
    """

    span: Span
    because: str
    step: str | int | None = None
    message: Node | None = None
    outcome: Outcome | None = None
    qemu: str = ""
    matrix: MappingNode | None = None

    @property
    def is_specific(self) -> bool:
        """Whether it says which step fails, or how."""
        return self.step is not None or self.message is not None


def parse_expected_failures(
    node: Node | None,
    dimensions: Iterable[str],
    steps: Iterable[Step],
    procedures: Iterable[Procedure],
    collector: DiagnosticCollector,
) -> tuple[ExpectedFailure, ...]:
    """Parse the value of `expected-failure`, which the schema has accepted or reported.

    :param dimensions: those of the scenario's matrix.
    """
    if node is None:
        return ()
    items = tuple(node) if isinstance(node, SequenceNode) else (node,)
    names = set(_list_names([*steps, *(step for each in procedures for step in each.steps)]))
    return tuple(_parse(item, set(dimensions), names, collector) for item in items)


def _parse(node: Node, dimensions: set[str], names: set[str], collector: DiagnosticCollector) -> ExpectedFailure:
    if not isinstance(node, MappingNode):
        return ExpectedFailure(node.span, _to_line(node))
    step, message, outcome, matrix = map(node.get, ("step", "message", "outcome", "matrix"))
    name = None if step is None else to_partial(step)
    if isinstance(name, str) and name not in names:
        hint = did_you_mean(name, names, "'step' is the 'name' of a step, without expressions, or its number")
        collector.add(Diagnostic(step.span if step else node.span, f"there is no step with the name '{name}'", hint))
    with collector:
        parse_matcher(message)
    with collector:
        parse_matcher(matrix)
    for entry in matrix if isinstance(matrix, MappingNode) else ():
        if entry.key not in dimensions and not entry.key.startswith("$"):
            hint = did_you_mean(entry.key, dimensions, f"dimensions: {', '.join(sorted(dimensions)) or 'none'}")
            collector.add(Diagnostic(entry.span, f"the matrix has no dimension '{entry.key}'", hint))
    return ExpectedFailure(
        node.span,
        _to_line(node.get("because")),
        step=name if isinstance(name, str | int) else None,
        message=message,
        outcome=OUTCOMES.get(_to_line(outcome)),
        qemu=_to_line(node.get("qemu")),
        matrix=matrix if isinstance(matrix, MappingNode) else None,
    )


def _list_names(steps: Iterable[Step]) -> Iterator[str]:
    """Yield the names of steps, also of those in blocks, without those that have expressions."""
    for step in steps:
        if step.name is not None and not step.name.dynamic:
            yield str(to_json(step.name))
        yield from _list_names(step.body)


def _to_line(node: Node | None) -> str:
    return " ".join(str(to_partial(node)).split()) if node is not None else ""
