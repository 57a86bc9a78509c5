"""The builds of QEMU that a run tests."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from run_scenarios.core.errors import UsageError
from run_scenarios.qemu.programs import TOOLS, Programs, find_programs


@dataclass(frozen=True, eq=False)
class Build:
    """One build of QEMU under test.

    :param label: the name of the build in case names, "10.0.2" for example; "" if there is only one build.
    :param arguments: the command-line options that select it, empty if it is the default.
    """

    programs: Programs
    label: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The values to add to the name of a case."""
        return (f"qemu={self.label}",) if self.label else ()


def find_builds_under_test(named: Mapping[str, Sequence[str]], *, must_exist: bool = True) -> tuple[Build, ...]:
    """Find the builds by the programs named for each tool and the environment of this process; see `find_builds`."""
    return find_builds(named, os.environ, must_exist=must_exist)


def find_builds(
    named: Mapping[str, Sequence[str]], environment: Mapping[str, str], *, must_exist: bool = True
) -> tuple[Build, ...]:
    """Find the programs of each build; if there are several, ask each for its version.

    :param named: the programs that the user named for each tool. Each QEMU is a build; another tool is named once for
        all builds, once for each in the same order, or not at all.
    :param must_exist: whether to look for the programs of a single build; several need their versions in any case.
    :raise UsageError: if a tool is named another number of times, or the same QEMU twice.
    :raise SetupError: as `find_programs` does, and if one of several builds does not answer to `--version`.
    """
    count = max(1, len(named.get("qemu", ())))
    chosen = [{tool: _choose(tool, named.get(tool, ()), number, count) for tool in TOOLS} for number in range(count)]
    if count == 1 and not must_exist:
        paths = {tool: path for tool, path in chosen[0].items() if path}
        return (Build(Programs(paths), arguments=_make_arguments(chosen[0])),)
    programs = [find_programs(each, environment) for each in chosen]
    labels = _make_labels(programs) if count > 1 else [""]
    return tuple(map(Build, programs, labels, map(_make_arguments, chosen)))


def _choose(tool: str, values: Sequence[str], number: int, count: int) -> str | None:
    if len(values) in (0, 1):
        return values[0] if values else None
    if len(values) != count:
        raise UsageError(f"--{tool} is given {len(values)} times, for {count} --qemu: give it once, or once for each")
    return values[number]


def _make_labels(builds: Sequence[Programs]) -> list[str]:
    """Label each build with its version, and with its path too if another build has the same version."""
    paths = [build["qemu"] for build in builds]
    twice = next((path for path, count in Counter(paths).items() if count > 1), None)
    if twice:
        raise UsageError(f"--qemu {twice} is given twice; to run each case twice, use --repeat 2")
    versions = [build.version for build in builds]
    return [
        version if version and versions.count(version) == 1 else f"{version} {path}".strip()
        for version, path in zip(versions, paths, strict=True)
    ]


def _make_arguments(chosen: Mapping[str, str | None]) -> tuple[str, ...]:
    return tuple(part for tool, value in chosen.items() if value for part in (f"--{tool}", value))
