"""Which QEMU is under test: where its programs are, and what they can do. Imports errors and tools.

What starts programs is imported where it is used: most that needs this module starts none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from run_scenarios.core.errors import SetupError
from run_scenarios.qemu.environment import TOOLS

NEEDED = ("qemu", "qemu-img", "qemu-io")
PROBE_TIMEOUT_S = 20
QUIET = ("-machine", "none", "-nodefaults", "-display", "none")


def _default_names(tool: str) -> tuple[str, ...]:
    import platform

    if tool != "qemu":
        return (tool,)
    return (f"qemu-system-{platform.machine()}", "qemu-system-x86_64", "qemu-kvm", "/usr/libexec/qemu-kvm")


@dataclass(frozen=True)
class Programs:
    """The programs of one QEMU build, by tool; a tool that was not found is missing."""

    paths: Mapping[str, str]

    def __getitem__(self, tool: str) -> str:
        """Return the path of a tool.

        :raise SetupError: if it was not found.
        """
        if tool not in self.paths:
            raise SetupError(_not_found(tool))
        return self.paths[tool]

    @cached_property
    def version(self) -> str:
        """The version of this QEMU, "" if it prints none. Source: `qemu-system-x86_64 --version`."""
        found = re.search(r"version (\d+(?:\.\d+)+)", _output_of([self["qemu"], "--version"]))
        return found[1] if found else ""

    @cached_property
    def accelerators(self) -> frozenset[str]:
        """The accelerators this QEMU was built with."""
        output = _output_of([self["qemu"], "-accel", "help"])
        return frozenset(output.split("\n")[1:]) - {""}

    @cached_property
    def formats(self) -> frozenset[str]:
        """The image formats that qemu-img knows. Source: the last paragraphs of `qemu-img --help`.

        :raise SetupError: if they are not there; no guess is made, or every case would be skipped for nothing.
        """
        found = re.search(
            r"^Supported (?:image )?formats:\s+(.*?)\n\n", _output_of([self["qemu-img"], "--help"]), re.M | re.S
        )
        if not found:
            raise SetupError(f"{self['qemu-img']} --help does not say which formats it supports")
        return frozenset(found[1].split())


def find_programs(options: Mapping[str, str | None], environment: Mapping[str, str]) -> Programs:
    """Find each tool by its option, else beside the QEMU that has one, else by QEMU's own variable, else on PATH.

    The tools beside a QEMU are of the same build; others would have to be named on purpose.

    :param options: a program for a tool, or None; a name without a slash is looked up on PATH.
    :raise SetupError: if a program that was named cannot be run, or none is found for QEMU, qemu-img or qemu-io.
    """
    paths: dict[str, str] = {}
    for tool, variable in TOOLS.items():
        beside = _beside(paths["qemu"], tool) if options.get("qemu") and tool != "qemu" else None
        named = options.get(tool) or beside or environment.get(variable)
        path = _which(named, environment) if named else _first_of(tool, environment)
        if path:
            paths[tool] = path
        elif named:
            said_by = f"--{tool}" if options.get(tool) else variable
            raise SetupError(f"{said_by}: cannot run '{named}'")
        elif tool in NEEDED:
            raise SetupError(_not_found(tool))
    return Programs(paths)


def _beside(qemu: str, tool: str) -> str | None:
    """Return a tool in the directory of a QEMU: that of the file itself first, where the path is a link."""
    directories = (Path(qemu).resolve().parent, Path(qemu).parent)
    return next((path for each in directories if (path := _which(str(each / tool), {}))), None)


def _first_of(tool: str, environment: Mapping[str, str]) -> str | None:
    return next((path for name in _default_names(tool) if (path := _which(name, environment))), None)


def _which(name: str, environment: Mapping[str, str]) -> str | None:
    import shutil

    found = shutil.which(name, path=environment.get("PATH"))
    return str(Path(found).absolute()) if found else None


def _not_found(tool: str) -> str:
    names = " or ".join(_default_names(tool)[:2])
    return f"{names} not found on PATH; install it, or name it with --{tool} or {TOOLS[tool]}"


def _output_of(argv: list[str]) -> str:
    import subprocess

    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=PROBE_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"cannot run {argv[0]}: {error}") from None
    return done.stdout
