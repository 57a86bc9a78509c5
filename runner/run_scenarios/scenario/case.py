"""Cases, each one run of a scenario, and the tasks that run them on a build of QEMU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from run_scenarios.core.events import TestPoint
from run_scenarios.core.nodes import JsonObject
from run_scenarios.qemu.programs import Programs
from run_scenarios.scenario.model import Scenario, ScenarioFile
from run_scenarios.scenario.parser import parse_again
from run_scenarios.steps.instrument import Instrument
from run_scenarios.steps.scope import Procedure, Scope


@dataclass(frozen=True, eq=False)
class Case:
    """One run of a scenario: a combination of its matrix.

    It holds the text of the scenario and not its parsed form: of ten thousand cases, only a few run at a time.

    :param number: its position among the scenario's cases, from 0.
    :param dimensions: the value of each dimension of the matrix.
    :param variables: the values of the scenario's own variables.
    :param cap_s: an upper limit for its timeout, whatever its scenario says; None for no limit.
    """

    file: ScenarioFile
    number: int
    dimensions: JsonObject
    label: str
    variables: JsonObject
    cap_s: float | None = None

    def load(self) -> Scenario:
        """Return the parsed scenario: from a small cache, or parsed again."""
        return _load(self.file)

    @property
    def selector(self) -> str:
        """The command-line argument that selects this case alone."""
        return f"{self.file.path}::{self.label}" if self.label else self.file.path

    def load_timeout_s(self) -> float | None:
        """Return how long the case may take: the scenario's timeout, limited by the cap; None for no limit."""
        own = self.load().timeout_s
        return min(own, self.cap_s) if own and self.cap_s else own or self.cap_s

    def name(self, *labels: str) -> str:
        """Return the case's name in reports, with these labels after the values of its matrix."""
        every = ",".join(each for each in (self.label, *labels) if each)
        stem = self.file.path.removesuffix(".yaml")
        return f"{stem}[{every}]" if every else stem

    def make_scope(self, procedures: Mapping[str, Procedure]) -> Scope:
        """Return a new scope for the case's first step.

        :param procedures: those of its scenario.
        """
        return Scope({**self.variables, **self.dimensions}, procedures)


@lru_cache(maxsize=64)
def _load(file: ScenarioFile) -> Scenario:
    return parse_again(file)


@dataclass(frozen=True, eq=False)
class Task:
    """One case to run on one build of QEMU.

    :param index: its position in the run, from 0; its events carry it.
    :param instrument: what a sweep adds to the run, None for an ordinary run.
    """

    index: int
    case: Case
    programs: Programs
    point: TestPoint
    instrument: Instrument | None = None
