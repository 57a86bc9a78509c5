"""Run scenarios in tests, and parse the report."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from run_scenarios.core.errors import ScenarioError
from run_scenarios.scenario.case import Case
from run_scenarios.scenario.dry_run import dry_run
from run_scenarios.scenario.model import Scenario

POINT = re.compile(r"(not )?ok (\d+) - (.*?)(?: # (SKIP|TODO) (.*))?$")


@dataclass(frozen=True)
class TapPoint:
    """A test point of a TAP report, with its YAML block."""

    ok: bool
    number: int
    name: str
    directive: str
    reason: str
    block: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One run of the command: its exit status and what it printed."""

    status: int
    stdout: str
    stderr: str

    @property
    def points(self) -> list[TapPoint]:
        """The points of the report."""
        points: list[TapPoint] = []
        block: list[str] | None = None
        for line in self.stdout.split("\n"):
            found = POINT.match(line)
            if found:
                points.append(TapPoint(not found[1], int(found[2]), found[3], found[4] or "", found[5] or "", {}))
            elif line == "  ---":
                block = []
            elif line == "  ...":
                points[-1].block.update(yaml.safe_load("\n".join(block or [])))
                block = None
            elif block is not None:
                block.append(line)
        return points

    @property
    def only(self) -> TapPoint:
        """The only point of the report."""
        (point,) = self.points
        return point

    @property
    def message(self) -> str:
        """The message of the only point, "" if it passed."""
        return str(self.only.block.get("message", ""))


RunSteps = Callable[..., Run]


def plan_cases(scenario: Scenario) -> list[Case]:
    """Return the cases of a scenario.

    :raise ScenarioError: with everything that a dry run finds.
    """
    found = dry_run(scenario)
    if found.diagnostics:
        raise ScenarioError(*found.diagnostics)
    return found.cases


def write_scenario(directory: Path, steps: str, head: str = "") -> Path:
    """Write a scenario of these steps, given as YAML, and return its file."""
    file = directory / "case.yaml"
    parts = ["scenario: a test", textwrap.dedent(head).strip(), "steps:", textwrap.indent(textwrap.dedent(steps), "  ")]
    file.write_text("\n".join(part for part in parts if part) + "\n")
    return file


def trace_of(directory: Path) -> list[dict[str, Any]]:
    """Return the records of the only trace below a directory of artifacts."""
    (file,) = directory.glob("*/trace.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]
