"""The order in which cases start."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_scenarios.core.events import TestPoint
from run_scenarios.execution.start_order import choose_start_order
from run_scenarios.qemu.programs import Programs
from run_scenarios.scenario.case import Task
from run_scenarios.scenario.model import Scenario
from run_scenarios.scenario.parser import Reader

from tests.support.scenarios import plan_cases


@pytest.fixture
def tasks(tmp_path: Path) -> list[Task]:
    """Eight tasks, of the cases a to h."""
    (tmp_path / "a.yaml").write_text("scenario: a\nsteps: [launch]\n")
    scenario = Reader.from_disk().read(tmp_path / "a.yaml", "a.yaml")
    assert isinstance(scenario, Scenario)
    (case,) = plan_cases(scenario)
    return [
        Task(index, case, Programs({}), TestPoint(name, "a.yaml", case=name)) for index, name in enumerate("abcdefgh")
    ]


def order(tasks: list[Task], expected: dict[str, float], workers: int) -> str:
    """Return the names of the cases in the order in which they start."""
    return "".join(task.point.name for task in choose_start_order(tasks, expected, workers))


@pytest.mark.parametrize("workers", [1, 2, 4, 100])
def test_equally_long_cases_start_in_the_order_of_the_plan(tasks: list[Task], workers: int) -> None:
    assert order(tasks, {}, workers) == "abcdefgh"
    assert order(tasks, {"a": 2.0, "b": 2.0}, workers) == "abcdefgh"


def test_a_long_case_starts_when_the_rest_takes_no_longer(tasks: list[Task]) -> None:
    expected = dict.fromkeys("abcdefg", 1.0) | {"h": 3.0}
    assert order(tasks, expected, 2) == "abcdhefg"  # 4 s for c and d on both, 3 s for e, f and g next to h
    assert order(tasks, expected, 1) == "abcdefgh"


def test_of_several_long_cases_the_longest_starts_first(tasks: list[Task]) -> None:
    expected = dict.fromkeys("abcdef", 1.0) | {"g": 4.0, "h": 5.0}
    assert order(tasks, expected, 3) == "hgabcdef"


def test_a_case_that_never_ran_is_assumed_to_be_average(tasks: list[Task]) -> None:
    assert order(tasks, {"a": 1.0, "b": 5.0, "h": 9.0}, 2) == "abcdefhg"


def test_no_tasks() -> None:
    assert choose_start_order([], {}, 4) == []
