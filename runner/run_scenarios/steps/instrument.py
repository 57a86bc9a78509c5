"""The base class of instruments: what a sweep adds to the run of a case."""

from __future__ import annotations

from pathlib import Path

from run_scenarios.content.disks import Disks
from run_scenarios.core.nodes import Node
from run_scenarios.steps.verb import Verb


class Instrument:
    """Changes how the nodes of a case are opened, and follows its steps; this one does neither."""

    def begin(self, directory: Path) -> None:
        """Take note of the case's directory, which is empty."""

    def adapt_argument(self, verb: type[Verb], argument: Node) -> Node:
        """Return the argument to run a step with, in place of the one in the scenario."""
        return argument

    def before_step(self, verb: Verb, disks: Disks) -> None:
        """Take note of a step that is about to run; not called for steps that run other steps."""

    def after_step(self, verb: Verb, disks: Disks, *, succeeded: bool) -> None:
        """Take note of a step that has ended, and of the disks after it."""

    def after_case(self, disks: Disks) -> None:
        """Take note that every process of the case has ended; its directory still exists."""
