"""Rules about expected errors."""

from __future__ import annotations

import re
from collections.abc import Iterator

from run_scenarios.core.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode
from run_scenarios.lint.context import Finding, LintContext
from run_scenarios.steps.verb import Step
from run_scenarios.steps.wait_job import WaitJob

REPLY_KEYS = frozenset({"class", "desc", "status", "stdout", "stderr", "output"})
SAMPLES = ("", "x", "An error, 42:\n")


def matches_any_error(context: LintContext) -> Iterator[Finding]:
    """Yield the expected errors that match every error."""
    for step in context.steps:
        error = _expected_error(step) if step.modifiers or step.verb is WaitJob else None
        if error is not None and _matches_anything(error):
            yield Finding(error.span, "this matches every error", "expect a specific error: {desc: {$contains: …}}")


def _expected_error(step: Step) -> Node | None:
    if step.verb is WaitJob and isinstance(step.argument, MappingNode):
        return step.argument.get("error")
    return step.error


def _matches_anything(expected: Node) -> bool:
    """Return whether an expected value matches any error, or any value of one of an error's keys."""
    if not isinstance(expected, MappingNode) or not expected.entries:
        return False
    first = expected.entries[0]
    if first.key.startswith("$"):
        return _is_empty_operator(first)
    return all(entry.key in REPLY_KEYS and _matches_anything(entry.value) for entry in expected)


def _is_empty_operator(operator: Entry) -> bool:
    operand = operator.value
    match operator.key:
        case "$any":
            return True
        case "$contains":
            return isinstance(operand, ScalarNode) and operand.value == ""
        case "$regex" if isinstance(operand, ScalarNode):
            return all(re.search(str(operand.value), sample) for sample in SAMPLES)
        case "$one-of" if isinstance(operand, SequenceNode):
            return any(map(_matches_anything, operand))
    return False
