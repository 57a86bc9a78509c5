"""Divide cases into shards of similar duration: `--shard 2/5`.

A shard depends only on the cases and on files named on the command line, not on earlier runs on this machine.
Otherwise shards that run on different machines could leave cases out.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path

from run_scenarios.collection.options import Shard
from run_scenarios.core.cache import read_json
from run_scenarios.core.errors import UsageError
from run_scenarios.scenario.model import Scenario
from run_scenarios.scenario.parser import find_calls
from run_scenarios.steps.scope import Procedure
from run_scenarios.steps.verb import Step


def choose_members(weights: Mapping[str, float], shard: Shard) -> frozenset[str]:
    """Return the names in a shard; each name is in exactly one shard, and all shards weigh about the same.

    Each name, in order of decreasing weight, goes to the lightest shard so far (Graham's LPT rule, at most 4/3 of the
    optimum).

    :param weights: the weight of each name, in any unit.
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
    """Return a short hash of the weights, which is the same for shards that belong together."""
    return hashlib.sha256(json.dumps(sorted(weights.items())).encode()).hexdigest()[:8]


def estimate_weights(steps: Mapping[str, int], durations: Mapping[str, float]) -> dict[str, float]:
    """Return the expected seconds of each case: as known, or estimated from its number of steps.

    :param steps: the number of steps of each case, by its name.
    :param durations: known seconds, by name; other names are ignored.
    """
    paces = [durations[name] / steps[name] for name in sorted(steps) if name in durations]
    pace = statistics.median(paces) if paces else 1.0
    return {name: durations.get(name, count * pace) for name, count in steps.items()}


def count_steps(scenario: Scenario) -> int:
    """Return the number of steps of a scenario and the procedures it calls, counting each block once."""
    return _count_steps(scenario.steps, scenario.procedures, {})


def _count_steps(steps: Iterable[Step], visible: Mapping[str, Procedure], known: dict[Procedure, int]) -> int:
    steps = tuple(steps)
    return _count_written(steps) + sum(
        _count_procedure(visible[name], known) for name, _ in find_calls(steps) if name in visible
    )


def _count_written(steps: Iterable[Step]) -> int:
    return sum(1 + _count_written(step.body) for step in steps)


def _count_procedure(procedure: Procedure, known: dict[Procedure, int]) -> int:
    if procedure not in known:
        known[procedure] = _count_steps(procedure.steps, procedure.visible, known)
    return known[procedure]


def load_durations(files: Iterable[Path]) -> dict[str, float]:
    """Return the seconds that cases took, by name, from files written by `--save-durations`; the last file wins.

    :raise UsageError: if a file cannot be read or is invalid.
    """
    durations: dict[str, float] = {}
    for file in files:
        try:
            content = read_json(file)
        except OSError as error:
            raise UsageError(f"--durations: cannot read {file}: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise UsageError(f"--durations: {file} is not JSON") from None
        durations |= _check_durations(content, file)
    return durations


def _check_durations(content: object, file: Path) -> dict[str, float]:
    if not isinstance(content, dict) or not all(map(_is_duration, content.values())):
        raise UsageError(
            f"--durations: {file} was not written by --save-durations: expected a mapping of cases to seconds"
        )
    return content


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
