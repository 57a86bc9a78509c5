"""Choose the order in which cases start: that of the plan, except that long cases start early enough."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from statistics import fmean

from run_scenarios.scenario.case import Task


def choose_start_order(tasks: Sequence[Task], expected: Mapping[str, float], workers: int) -> list[Task]:
    """Return tasks in the order in which to start them.

    :param expected: seconds that cases took before, by name; the others are assumed to be average.
    :param workers: the number of cases that run at a time.
    """
    average = fmean(expected.values()) if expected else 1.0
    seconds = {task.index: expected.get(task.point.case, average) for task in tasks}
    left = sum(seconds.values())
    by_plan, by_length = deque(tasks), deque(sorted(tasks, key=lambda task: seconds[task.index], reverse=True))
    order: dict[int, Task] = {}
    while by_plan:
        cannot_wait = seconds[by_length[0].index] * workers >= left
        task = by_length[0] if cannot_wait else by_plan[0]
        left -= seconds[task.index]
        order[task.index] = task
        for waiting in (by_plan, by_length):
            while waiting and waiting[0].index in order:
                waiting.popleft()
    return list(order.values())
