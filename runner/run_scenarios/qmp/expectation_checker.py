"""Find expected values that a value of a type never matches, or always matches.

An operator is checked with its operand: `$ne` and `$not` match everything if the operand matches nothing, so what they
refuse must be possible too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode
from run_scenarios.core.source import Span
from run_scenarios.qmp.type_checker import TypeChecker
from run_scenarios.qmp.types import Array, Enum, Member, TypeTable
from run_scenarios.syntax.matchers import OPERATORS

NUMBERS = frozenset({"int", "number"})
APPLICABLE = {
    "$gt": NUMBERS,
    "$ge": NUMBERS,
    "$lt": NUMBERS,
    "$le": NUMBERS,
    "$regex": frozenset({"string"}),
    "$contains": frozenset({"string", "array"}),
    "$length": frozenset({"string", "array", "object"}),
    "$unordered": frozenset({"array"}),
}
"""The JSON types to which an operator applies; the other operators apply to all."""


def check_expected(
    expected: Node, type_: str, subject: str, table: TypeTable, *, optional: bool = False
) -> Iterator[Diagnostic]:
    """Yield what in an expected value a value of a type never has, or always has.

    :param subject: the name of the value in messages.
    :param optional: whether the value may be missing.
    """
    checker = ExpectationChecker(table, subject, "key")
    yield from checker.check_value(type_, expected, "", expected.span, optional=optional)


@unchecked_frozen
class ExpectationChecker(TypeChecker):
    """Compares an expected value, which may omit keys and contain operators, with a type."""

    VERB = "is"

    def check_value(
        self, type_: str, node: Node, path: str, span: Span, *, optional: bool = False
    ) -> Iterator[Diagnostic]:
        """Yield what is wrong with an expected value; see `TypeChecker.check_value`."""
        operator = node.entries[0] if isinstance(node, MappingNode) and node.entries else None
        if operator and operator.key in OPERATORS:
            yield from self._check_operator(type_, operator, path, optional=optional)
        else:
            yield from TypeChecker.check_value(self, type_, node, path, span, optional=optional)

    def _list_required(self, members: Mapping[str, Member]) -> list[str]:
        return []

    def _check_operator(self, type_: str, operator: Entry, path: str, *, optional: bool) -> Iterator[Diagnostic]:
        found = self.table.list_json_types(type_)
        if not found & {*APPLICABLE.get(operator.key, found), "value"}:
            text = f"'{operator.key}' never matches {self._name(path)}, which is {self.table.describe_type(type_)}"
            yield self._report(operator.span, text)
        elif operator.key == "$absent" and not optional:
            yield self._report(operator.span, f"'$absent' never matches: {self._name(path)} is always present")
        else:
            yield from self._check_operand(type_, operator, path, optional=optional)

    def _check_operand(self, type_: str, operator: Entry, path: str, *, optional: bool) -> Iterator[Diagnostic]:
        operand = operator.value
        match operator.key:
            case "$ne" | "$exact":
                literal = TypeChecker(self.table, self.subject, self.noun)
                yield from literal.check_value(type_, operand, path, operand.span)
            case "$not":
                yield from self.check_value(type_, operand, path, operand.span, optional=optional)
            case "$one-of":
                for item in operand if isinstance(operand, SequenceNode) else ():
                    yield from self.check_value(type_, item, path, item.span, optional=optional)
            case "$length" if isinstance(operand, MappingNode):
                yield from check_expected(operand, "int", f"the length of {self._name(path)}", self.table)
            case "$unordered":
                for item in operand if isinstance(operand, SequenceNode) else ():
                    yield from self._check_item(type_, item, path)
            case "$contains":
                yield from self._check_contained(type_, operand, path)

    def _check_item(self, type_: str, item: Node, path: str) -> Iterator[Diagnostic]:
        """Check an expected item of a list."""
        kind = self.table.types[type_]
        if isinstance(kind, Array):
            yield from self.check_value(kind.element, item, f"{path}[]", item.span)

    def _check_contained(self, type_: str, operand: Node, path: str) -> Iterator[Diagnostic]:
        """Check an expected item of a list, or an expected part of a string."""
        if self.table.list_json_types(type_) != {"string"}:
            yield from self._check_item(type_, operand, path)
        elif isinstance(operand, SequenceNode | MappingNode) or (
            isinstance(operand, ScalarNode) and not isinstance(operand.value, str)
        ):
            text = f"'$contains' never matches: a part of {self._name(path)} is a string"
            yield self._report(operand.span, text)
        elif isinstance(operand, ScalarNode):
            yield from self._check_part_of_choice(type_, str(operand.value), operand.span, path)

    def _check_part_of_choice(self, type_: str, part: str, span: Span, path: str) -> Iterator[Diagnostic]:
        kind = self.table.types[type_]
        if isinstance(kind, Enum) and not any(part in value for value in kind.values):
            yield self._report(span, f"no value of {self._name(path)} contains '{part}'")
