"""Plan scenarios that tests write as text."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_scenarios.core.errors import ScenarioError
from run_scenarios.scenario.case import Case
from run_scenarios.scenario.model import Scenario
from run_scenarios.scenario.parser import Reader

from tests.support.scenarios import plan_cases


def plan_text(directory: Path, text: str) -> list[Case]:
    """Write a scenario file and return its cases.

    :raise ScenarioError: with everything that a dry run finds.
    """
    file = directory / "a.yaml"
    file.write_text(text)
    scenario = Reader.from_disk().read(file, "a.yaml")
    assert isinstance(scenario, Scenario), scenario
    return plan_cases(scenario)


def refuse_text(directory: Path, text: str) -> list[str]:
    """Write a scenario file and return what a dry run finds wrong with it."""
    with pytest.raises(ScenarioError) as caught:
        plan_text(directory, text)
    return [each.render() for each in caught.value.diagnostics]


def make_matrix_text(dimensions: int) -> str:
    """Return a scenario whose matrix has this many dimensions of ten values each."""
    rows = "".join(f"  d{number}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n" for number in range(dimensions))
    return f"scenario: a\nmatrix:\n{rows}steps: [launch]\n"
