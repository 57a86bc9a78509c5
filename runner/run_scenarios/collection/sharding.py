"""`--shard 2/5`: cases to shards of like duration, the same on every machine. Imports errors, steps.base, validate.

What a shard holds follows from the cases and from files named on the command line, never from what a machine remembers:
shards that ran on machines with different memories would leave cases out.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from run_scenarios.core.errors import UsageError
from run_scenarios.scenario.model import Scenario
from run_scenarios.scenario.parser import find_calls
from run_scenarios.steps.scope import Procedure
from run_scenarios.steps.verb import Step


@dataclass(frozen=True)
class Shard:
    """One part of so many; `number` counts from 1."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def choose_members(weights: Mapping[str, float], shard: Shard) -> frozenset[str]:
    """Return the names in a shard: each name is in exactly one, and the shards weigh about the same.

    The heaviest goes first, each to the lightest shard so far (Graham's LPT rule: at most 4/3 of the best balance).

    :param weights: what each name weighs, in any unit.
    """
    loads = [(0.0, number) for number in range(1, shard.count + 1)]
    chosen = []
    for name in sorted(weights, key=lambda each: (-weights[each], each)):
        load, number = loads[0]
        heapq.heapreplace(loads, (load + weights[name], number))
        if number == shard.number:
            chosen.append(name)
    return frozenset(chosen)


def compute_fingerprint(weights: Mapping[str, float]) -> str:
    """Return a short text that differs for different weights: shards with the same one belong together."""
    return hashlib.sha256(json.dumps(sorted(weights.items())).encode()).hexdigest()[:8]


def estimate_weights(steps: Mapping[str, int], durations: Mapping[str, float]) -> dict[str, float]:
    """Return what each case weighs: its seconds, else its steps, at the pace of those whose seconds are known.

    :param steps: how many steps each case has, by its name.
    :param durations: seconds, by the case's name; names of no case do not matter.
    """
    paces = [durations[name] / steps[name] for name in sorted(steps) if name in durations]
    pace = statistics.median(paces) if paces else 1.0
    return {name: durations.get(name, count * pace) for name, count in steps.items()}


def count_steps(scenario: Scenario) -> int:
    """Return how many steps a scenario has, with those of the procedures it calls and each block taken once."""
    return _count(scenario.steps, scenario.procedures, {})


def _count(steps: Iterable[Step], visible: Mapping[str, Procedure], known: dict[Procedure, int]) -> int:
    steps = tuple(steps)
    return _written(steps) + sum(
        _in_procedure(visible[name], known) for name, _ in find_calls(steps) if name in visible
    )


def _written(steps: Iterable[Step]) -> int:
    return sum(1 + _written(step.body) for step in steps)


def _in_procedure(procedure: Procedure, known: dict[Procedure, int]) -> int:
    if procedure not in known:
        known[procedure] = _count(procedure.steps, procedure.visible, known)
    return known[procedure]


def load_durations(files: Iterable[Path]) -> dict[str, float]:
    """Return the seconds that cases took, by name, from files that `--save-durations` wrote; the last file wins.

    :raise UsageError: if a file cannot be read, or is none of those.
    """
    durations: dict[str, float] = {}
    for file in files:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"--durations: cannot read {file}: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise UsageError(f"--durations: {file} is not JSON") from None
        durations |= _checked(content, file)
    return durations


def _checked(content: object, file: Path) -> dict[str, float]:
    if not isinstance(content, dict) or not all(map(_is_duration, content.values())):
        raise UsageError(f"--durations: {file} was not written by --save-durations: a mapping of case to seconds")
    return content


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
