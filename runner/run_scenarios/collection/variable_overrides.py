"""Variable overrides: `-D NAME=VALUE` sets a variable, or selects the cases with a value of a matrix dimension."""

from __future__ import annotations

from collections.abc import Iterable

from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.errors import ScenarioError, UsageError
from run_scenarios.core.nodes import JsonObject, JsonValue, to_json
from run_scenarios.core.source import Source
from run_scenarios.scenario.case import Case
from run_scenarios.syntax.matchers import describe_value, is_identical
from run_scenarios.syntax.yaml_loader import load_text


class VariableOverrides:
    """The overrides of the command line, and the names and values seen in scenarios so far.

    :param texts: `NAME=VALUE`; a value is YAML, as in a scenario.
    :raise UsageError: for a value that is not YAML or holds an expression, and for a name given twice.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts = tuple(texts)
        self.values = _parse_all(self._texts)
        """The value of each name."""
        self._variables: set[str] = set()
        self._dimensions: dict[str, list[JsonValue]] = {}

    def filter_cases(self, cases: Iterable[Case]) -> list[Case]:
        """Return the cases of one scenario whose matrix values agree with the overrides."""
        left = []
        for case in cases:
            self._variables |= case.variables.keys()
            for name, value in case.dimensions.items():
                self._note_value(name, value)
            if all(is_identical(self.values.get(name, value), value) for name, value in case.dimensions.items()):
                left.append(case)
        return left

    def check_all_used(self) -> None:
        """Check that each override applies to some scenario.

        :raise UsageError: for a name that no scenario has, and for a value that no case has.
        """
        for name, value in self.values.items():
            known = self._dimensions.get(name, [])
            if name not in self._variables and not known:
                raise UsageError(self._describe_unknown(name))
            if name not in self._variables and not any(is_identical(value, each) for each in known):
                listed = ", ".join(map(describe_value, known))
                raise UsageError(f"-D {name}: no case has the value {describe_value(value)}; values: {listed}")

    def format_arguments(self, case: Case) -> tuple[str, ...]:
        """Return the `-D` arguments that apply to a case."""
        return tuple(part for text in self._texts if text.partition("=")[0] in case.variables for part in ("-D", text))

    def _describe_unknown(self, name: str) -> str:
        every = sorted(self._variables | self._dimensions.keys())
        hint = did_you_mean(name, every, f"names: {', '.join(every) or 'none'}")
        return f"-D {name}: no scenario has a variable or matrix dimension of that name; {hint}"

    def _note_value(self, name: str, value: JsonValue) -> None:
        known = self._dimensions.setdefault(name, [])
        if not any(is_identical(value, each) for each in known):
            known.append(value)


def _parse_all(texts: Iterable[str]) -> JsonObject:
    found: JsonObject = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name in found:
            raise UsageError(f"-D {text}: '{name}' is given twice")
        found[name] = _parse_value(name, value) if value.strip() else None
    return found


def _parse_value(name: str, text: str) -> JsonValue:
    try:
        node = load_text(Source(f"-D {name}", text))
    except ScenarioError as error:
        raise UsageError(f"-D {name}={text}: {error.diagnostics[0].message}") from None
    if node.dynamic:
        raise UsageError(f"-D {name}={text}: expressions are not allowed here; write the value itself")
    return to_json(node)
