"""The Jinja environment of expressions: no statements, calls, attributes or globals, and limits on every result.

Source: Jinja's `SandboxedEnvironment`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.json_types import type_name
from run_scenarios.syntax.sizes import parse_byte_size

MAX_LENGTH = 1 << 16
MAX_BITS = 1024
MAX_DIGITS = 20
NO_CALLS = "an expression cannot call functions or methods; use a filter"
JINJA_FILTERS = (
    "abs",
    "count",
    "default",
    "d",
    "dictsort",
    "first",
    "float",
    "int",
    "items",
    "last",
    "length",
    "list",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "select",
    "selectattr",
    "sort",
    "unique",
)


@dataclass
class Budget:
    """How many values and characters the operators of one evaluation may still produce."""

    left: int = MAX_LENGTH

    def spend(self, value: object) -> None:
        """Subtract the size of an intermediate result.

        :raise SecurityError: if the budget is exceeded.
        """
        self.left -= measure(value, self.left)
        if self.left < 0:
            raise SecurityError("the intermediate results of the expression are too large")


_budget: ContextVar[Budget] = ContextVar("_budget")


def evaluate_within_budget(evaluate: Callable[[Mapping[str, Any]], object], variables: Mapping[str, Any]) -> object:
    """Evaluate a compiled expression with a new budget.

    :raise SecurityError: if its operators produce more than `MAX_LENGTH` values and characters.
    """
    outer = _budget.set(Budget())
    try:
        return evaluate(variables)
    finally:
        _budget.reset(outer)


def measure(value: object, limit: int) -> int:
    """Return the number of values and characters in a value, shared ones counted each time; stop above `limit`."""
    count, remaining = 0, [value]
    while remaining and count <= limit:
        match remaining.pop():
            case str() as text:
                count += len(text)
            case list() | tuple() as items:
                remaining.extend(items)
            case dict() as items:
                remaining.extend(items.values())
        count += 1
    return count


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        raise SecurityError(NO_CALLS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an item of a mapping; JSON has no attributes, and `.items` is a key like any other."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item of a mapping, list or string, or an undefined value that explains why there is none."""
        if isinstance(obj, Undefined):
            return obj[argument]  # Raises the error of the undefined value.
        try:
            return obj[argument]
        except (LookupError, TypeError):
            return self.undefined(_explain_missing_item(obj, argument))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            raise SecurityError("'%' does not format text here; write the text around the expression")
        if _bound_result(operator, left, right) > MAX_LENGTH:
            raise SecurityError(f"the result of '{operator}' would be too large")
        result = super().call_binop(context, operator, left, right)
        _budget.get().spend(result)
        return result


def _explain_missing_item(obj: object, argument: object) -> str:
    if isinstance(obj, dict):
        hint = did_you_mean(str(argument), map(str, obj), f"keys: {', '.join(map(str, obj)) or 'none'}")
        return f"there is no key '{argument}'; {hint}"
    if isinstance(obj, list | str) and isinstance(argument, int):
        return f"there is no item {argument} in {type_name(obj)} of length {len(obj)}"
    return f"{type_name(obj)} has no '{argument}'"


def _bound_result(operator: str, left: object, right: object) -> int:
    """Return an upper bound of the length of a result; of an integer, `MAX_BITS` bits count as `MAX_LENGTH`."""
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * max(0, right) if operator == "**" else left.bit_length() + right.bit_length()
        return bits * (MAX_LENGTH // MAX_BITS)
    lengths = [len(side) if isinstance(side, str | list | tuple) else 1 for side in (left, right)]
    if operator == "*":
        times = [side if isinstance(side, int) else 1 for side in (left, right)]
        return max(lengths) * max(times)
    return sum(lengths)


class Omitted:
    """Type of `omit`: the key that has this value is left out."""


OMIT = Omitted()


def _to_text(value: object) -> str:
    if isinstance(value, Undefined):
        return str(value)
    if isinstance(value, Omitted):
        raise TypeError("'omit' leaves out a whole key of a mapping, not part of a text")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"the result is not a number: {value}")
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError(f"{type_name(value)} cannot become part of a text; let the expression be the whole value")


def _to_bytes(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return parse_byte_size(str(value))


def _round(value: float, precision: int = 0, method: str = "common") -> float:
    if abs(precision) > MAX_DIGITS:
        raise ValueError(f"cannot round to more than {MAX_DIGITS} digits")
    return FILTERS["round"](value, precision, method)  # type: ignore[no-any-return]


@jinja2.pass_environment
def _sum(environment: _Environment, items: Iterable[Any], attribute: str | int | None = None, start: float = 0) -> Any:
    if not isinstance(start, int | float):
        raise TypeError("'sum' adds numbers only")
    return FILTERS["sum"](environment, items, attribute, start)


OWN_FILTERS: dict[str, Callable[..., Any]] = {
    "bytes": _to_bytes,
    "lower": lambda value: _to_text(value).lower(),
    "round": _round,
    "string": lambda value: _to_text(value),
    "sum": _sum,
    "upper": lambda value: _to_text(value).upper(),
}
"""Filters that Jinja lacks, or whose results Jinja does not limit."""


def _make_environment() -> _Environment:
    # A YAML file cannot contain the marks of statements and comments, so only `{{ }}` has a meaning.
    environment = _Environment(
        block_start_string="\0%",
        block_end_string="%\0",
        comment_start_string="\0#",
        comment_end_string="#\0",
        undefined=StrictUndefined,
        finalize=_to_text,
        autoescape=False,
        keep_trailing_newline=True,
        optimized=False,  # Constant folding would write `inf` into the compiled code.
    )
    environment.globals.clear()
    environment.globals["omit"] = OMIT
    environment.filters = {**{name: FILTERS[name] for name in JINJA_FILTERS}, **OWN_FILTERS}
    return environment


ENVIRONMENT = _make_environment()
