"""`-D NAME=VALUE`: values that replace those of variables, or choose among those of a matrix. Imports load and plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.errors import ScenarioError, UsageError
from run_scenarios.core.nodes import JsonObject, JsonValue, to_json
from run_scenarios.core.source import Source
from run_scenarios.scenario.case import Case
from run_scenarios.syntax.matchers import describe_value, is_identical
from run_scenarios.syntax.yaml_loader import load_text


def parse_overrides(texts: Iterable[str]) -> JsonObject:
    """Return the values in `name=value` texts, each typed as it would be in a scenario.

    :raise UsageError: for a value that is not YAML, or holds an expression, and for a name that comes twice.
    """
    found: JsonObject = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name in found:
            raise UsageError(f"-D {text}: '{name}' is given twice")
        found[name] = _value(name, value) if value.strip() else None
    return found


def _value(name: str, text: str) -> JsonValue:
    try:
        node = load_text(Source(f"-D {name}", text))
    except ScenarioError as error:
        raise UsageError(f"-D {name}={text}: {error.diagnostics[0].message}") from None
    if node.dynamic:
        raise UsageError(f"-D {name}={text}: an expression; write the value out")
    return to_json(node)


@dataclass
class VariableOverrides:
    """What the command line defines, and what the scenarios collected so far have of it.

    :param values: the value of each name.
    """

    values: JsonObject
    _variables: set[str] = field(default_factory=set)
    _dimensions: dict[str, list[JsonValue]] = field(default_factory=dict)

    def restrict(self, cases: Iterable[Case]) -> list[Case]:
        """Return the cases of one scenario that have the values defined, wherever they have a dimension of the name."""
        left = []
        for case in cases:
            self._variables |= case.variables.keys()
            for name, value in case.dimensions.items():
                self._note(name, value)
            if all(is_identical(self.values.get(name, value), value) for name, value in case.dimensions.items()):
                left.append(case)
        return left

    def check(self) -> None:
        """Check that each definition meant something.

        :raise UsageError: for a name that no scenario knows, and for a value that no case has.
        """
        for name, value in self.values.items():
            known = self._dimensions.get(name, [])
            if name not in self._variables and not known:
                raise UsageError(self._unknown(name))
            if name not in self._variables and not any(is_identical(value, each) for each in known):
                listed = ", ".join(map(describe_value, known))
                raise UsageError(f"-D {name}: no case has the value {describe_value(value)}; values: {listed}")

    def _unknown(self, name: str) -> str:
        every = sorted(self._variables | self._dimensions.keys())
        hint = did_you_mean(name, every, f"names: {', '.join(every) or 'none'}")
        return f"-D {name}: no scenario here has a variable or a dimension of that name; {hint}"

    def _note(self, name: str, value: JsonValue) -> None:
        known = self._dimensions.setdefault(name, [])
        if not any(is_identical(value, each) for each in known):
            known.append(value)


def format_overrides(texts: Iterable[str], case: Case) -> tuple[str, ...]:
    """Return the arguments of the command that give a case values, of `name=value` texts."""
    return tuple(part for text in texts if text.partition("=")[0] in case.variables for part in ("-D", text))
