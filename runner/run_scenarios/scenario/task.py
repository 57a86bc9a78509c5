"""What the executor is given: a case, and the QEMU it is to run on. Imports plan, programs and model."""

from __future__ import annotations

from dataclasses import dataclass

from run_scenarios.core.events import TestPoint
from run_scenarios.qemu.programs import Programs
from run_scenarios.scenario.plan import Case


@dataclass(frozen=True, eq=False)
class Task:
    """One case to run on one build of QEMU.

    :param index: its place in the plan, from 0, which its events carry.
    """

    index: int
    case: Case
    programs: Programs
    point: TestPoint
