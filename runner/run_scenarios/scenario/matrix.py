"""Expand the matrix of a scenario into its cases."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean, escape_every_unprintable
from run_scenarios.core.errors import scenario_error
from run_scenarios.core.nodes import Entry, JsonObject, JsonValue, MappingNode, Node, SequenceNode, to_json
from run_scenarios.core.source import Span
from run_scenarios.scenario.case import Case
from run_scenarios.scenario.diagnostic_collector import DiagnosticCollector
from run_scenarios.scenario.model import Scenario
from run_scenarios.scenario.step_parser import refuse_reserved_name
from run_scenarios.syntax.matchers import describe_value, is_identical

MAX_CASES = 2_000

_Row = tuple[JsonObject, Span]
"""The values of one combination, and the place to report if it is wrong."""


def expand_matrix(scenario: Scenario, overrides: Mapping[str, JsonValue]) -> list[Case]:
    """Return the cases of a scenario, in the order of its matrix.

    :param overrides: values that replace those of the scenario's own variables; other names are ignored.
    :raise ScenarioError: if the matrix is wrong.
    """
    variables = {each.key: overrides.get(each.key, to_json(each.value)) for each in scenario.variables}
    if scenario.matrix is None:
        return [Case(scenario.file, 0, {}, "", variables)]
    cases: dict[str, Case] = {}
    for number, (dimensions, span) in enumerate(_list_rows(scenario.matrix)):
        label = ",".join(f"{key}={_format_value(dimensions[key])}" for key in sorted(dimensions))
        if label in cases:
            raise scenario_error(span, f"two cases would be named '{label}'", "a case is named after its values")
        cases[label] = Case(scenario.file, number, dimensions, label, variables)
    return list(cases.values())


def _format_value(value: JsonValue) -> str:
    return escape_every_unprintable(value if isinstance(value, str) else describe_value(value).split(" (")[0])


def _list_rows(matrix: MappingNode) -> list[_Row]:
    """Return the combinations of a matrix.

    :raise ScenarioError: with everything that is wrong in it.
    """
    collector = DiagnosticCollector()
    dimensions = [entry for entry in matrix if entry.key not in ("include", "exclude")]
    _refuse_too_many(matrix, dimensions)
    for entry in dimensions:
        with collector:
            refuse_reserved_name(entry.key, entry.span)
        collector.extend(_find_repeated_values(entry))
    included = _list_combinations(matrix.get("include"))
    names = [entry.key for entry in dimensions] or [key for node in included[:1] for key in _read_values(node)]
    excluded = _list_combinations(matrix.get("exclude"))
    for node in (*excluded, *included):
        collector.extend(_find_unknown_dimensions(node, names))
    collector.raise_any()
    rows = _remove_excluded(_combine_dimensions(dimensions), excluded, collector)
    rows += [_make_included_row(node, names, collector) for node in included]
    collector.raise_any()
    if not rows:
        raise scenario_error(matrix.span, "the matrix has no case left", "'exclude' removes every combination")
    return rows


def _list_combinations(node: Node | None) -> list[MappingNode]:
    return [item for item in node if isinstance(item, MappingNode)] if isinstance(node, SequenceNode) else []


def _read_values(node: MappingNode) -> JsonObject:
    """Return the values of a combination, without its `because`."""
    return {entry.key: to_json(entry.value) for entry in node if entry.key != "because"}


def _refuse_too_many(matrix: MappingNode, dimensions: list[Entry]) -> None:
    count = math.prod(len(entry.value.items) for entry in dimensions if isinstance(entry.value, SequenceNode))
    count += len(_list_combinations(matrix.get("include"))) - (0 if dimensions else 1)
    if count > MAX_CASES:
        raise scenario_error(
            matrix.span, f"the matrix has {count} combinations, more than {MAX_CASES}", "split the scenario"
        )


def _find_repeated_values(entry: Entry) -> Iterator[Diagnostic]:
    seen: set[tuple[type, object]] = set()
    for item in entry.value if isinstance(entry.value, SequenceNode) else ():
        value = to_json(item)
        if (type(value), value) in seen:
            yield Diagnostic(item.span, f"{describe_value(value)} is listed twice in '{entry.key}'", "remove one")
        seen.add((type(value), value))


def _find_unknown_dimensions(node: MappingNode, names: list[str]) -> Iterator[Diagnostic]:
    for entry in node:
        if entry.key not in (*names, "because"):
            hint = did_you_mean(entry.key, names, f"dimensions: {', '.join(names)}")
            yield Diagnostic(entry.span, f"the matrix has no dimension '{entry.key}'", hint)


def _combine_dimensions(dimensions: list[Entry]) -> list[_Row]:
    if not dimensions:
        return []
    names = [entry.key for entry in dimensions]
    items = [entry.value.items for entry in dimensions if isinstance(entry.value, SequenceNode)]
    return [
        (dict(zip(names, map(to_json, combination), strict=True)), combination[-1].span)
        for combination in itertools.product(*items)
    ]


def _remove_excluded(rows: list[_Row], excluded: list[MappingNode], collector: DiagnosticCollector) -> list[_Row]:
    for node in excluded:
        pattern = _read_values(node)
        if not pattern:
            hint = "name the values to exclude as well as the reason"
            collector.add(Diagnostic(node.span, "this excludes every combination", hint))
            continue
        left = [row for row in rows if not all(is_identical(value, row[0][key]) for key, value in pattern.items())]
        if len(left) == len(rows):
            hint = "check the values and their types"
            collector.add(Diagnostic(node.span, "this excludes no combination", hint))
        rows = left
    return rows


def _make_included_row(node: MappingNode, names: list[str], collector: DiagnosticCollector) -> _Row:
    row = _read_values(node)
    for name in names:
        if name not in row:
            collector.add(Diagnostic(node.span, f"this combination has no value for '{name}'", f"add '{name}: …'"))
    return row, node.span
