"""The builds of QEMU that a run is for: their programs, and what tells them apart. Imports errors and programs."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from run_scenarios.core.errors import UsageError
from run_scenarios.qemu.environment import TOOLS
from run_scenarios.qemu.programs import Programs, find_programs


@dataclass(frozen=True, eq=False)
class Build:
    """One build of QEMU under test.

    :param label: what its cases are called by: "10.0.2"; "" where there is one build only.
    :param arguments: the options of the command that name it, none where it was not named.
    """

    programs: Programs
    label: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """What is added to the values that name a case."""
        return (f"qemu={self.label}",) if self.label else ()


def builds_of(options: argparse.Namespace, *, must_be_there: bool = True) -> tuple[Build, ...]:
    """Find the programs of each build under test.

    :param must_be_there: whether to look for them even if there is one build, which needs no name.
    :raise SetupError: if one that was named cannot be run, or one that every run needs is not found.
    """
    named = {tool: getattr(options, tool.replace("-", "_")) for tool in TOOLS}
    if len(options.qemu) < 2 and not must_be_there:
        return (unknown_build(named),)
    return find_builds(named, os.environ)


def find_builds(named: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> tuple[Build, ...]:
    """Find the programs of each build; with several, ask each for its version.

    :param named: the programs that were named for each tool. Each QEMU is a build; another tool is named once for all
        of them, once for each in their order, or not at all.
    :raise UsageError: if a tool is named another number of times, or the same QEMU twice.
    :raise SetupError: as `find_programs` does, and if one of several does not answer to `--version`.
    """
    count = max(1, len(named.get("qemu", ())))
    chosen = [_of_build(named, number, count) for number in range(count)]
    programs = [find_programs(each, environment) for each in chosen]
    labels = _labels(programs) if count > 1 else [""]
    return tuple(
        Build(found, label, _arguments(options)) for found, label, options in zip(programs, labels, chosen, strict=True)
    )


def unknown_build(named: Mapping[str, Sequence[str]]) -> Build:
    """Return one build whose programs are not looked for, for nothing is run here; those named are as they were."""
    chosen = _of_build(named, 0, 1)
    return Build(Programs({tool: path for tool, path in chosen.items() if path}), arguments=_arguments(chosen))


def _of_build(named: Mapping[str, Sequence[str]], number: int, count: int) -> dict[str, str | None]:
    return {tool: _nth(tool, named.get(tool, ()), number, count) for tool in TOOLS}


def _nth(tool: str, values: Sequence[str], number: int, count: int) -> str | None:
    if len(values) in (0, 1):
        return values[0] if values else None
    if len(values) != count:
        raise UsageError(f"--{tool} is given {len(values)} times, for {count} --qemu: give it once, or once for each")
    return values[number]


def _labels(builds: Sequence[Programs]) -> list[str]:
    paths = [build["qemu"] for build in builds]
    twice = next((path for path, count in Counter(paths).items() if count > 1), None)
    if twice:
        raise UsageError(f"--qemu {twice} is given twice; to run each case twice, use --repeat 2")
    versions = [build.version for build in builds]
    return [
        version if version and versions.count(version) == 1 else f"{version} {path}".strip()
        for version, path in zip(versions, paths, strict=True)
    ]


def _arguments(options: Mapping[str, str | None]) -> tuple[str, ...]:
    return tuple(part for tool, value in options.items() if value for part in (f"--{tool}", value))
