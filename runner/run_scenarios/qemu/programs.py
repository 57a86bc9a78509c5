"""Find the programs of a QEMU build, and ask them for their version and features.

Modules that start processes are imported where they are used, because most importers of this module start none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from run_scenarios.core.errors import SetupError

TOOLS = {
    "qemu": "QEMU_PROG",
    "qemu-img": "QEMU_IMG_PROG",
    "qemu-io": "QEMU_IO_PROG",
    "qemu-nbd": "QEMU_NBD_PROG",
    "qemu-storage-daemon": "QSD_PROG",
}
"""The programs of a QEMU build, and the environment variables that QEMU's own tests use for them."""
REQUIRED = ("qemu", "qemu-img", "qemu-io")
PROBE_TIMEOUT_S = 20
OPTIONAL_TIMEOUT_S = 2
MONITOR_OBJECT = "monitor-qmp"
BARE_MACHINE = ("-machine", "none", "-nodefaults", "-display", "none")


def _default_names(tool: str) -> tuple[str, ...]:
    import platform

    if tool != "qemu":
        return (tool,)
    return (f"qemu-system-{platform.machine()}", "qemu-system-x86_64", "qemu-kvm", "/usr/libexec/qemu-kvm")


@dataclass(frozen=True)
class Programs:
    """The paths of the programs of one QEMU build, by tool; a tool that was not found is missing."""

    paths: Mapping[str, str]

    def __getitem__(self, tool: str) -> str:
        """Return the path of a tool.

        :raise SetupError: if it was not found.
        """
        if tool not in self.paths:
            raise SetupError(_describe_missing(tool))
        return self.paths[tool]

    @cached_property
    def version(self) -> str:
        """The version of this QEMU, "" if it prints none. Source: `qemu-system-x86_64 --version`."""
        return _find_version(_run([self["qemu"], "--version"]))

    @cached_property
    def accelerators(self) -> frozenset[str]:
        """The accelerators this QEMU was built with."""
        output = _run([self["qemu"], "-accel", "help"])
        return frozenset(output.split("\n")[1:]) - {""}

    @cached_property
    def monitor_objects(self) -> frozenset[str]:
        """The tools among `qemu` and `qemu-storage-daemon` that take a monitor as `-object monitor-qmp`.

        Source: `-object help`; there, QEMU has deprecated `-mon` and `--monitor`.
        """
        offers = {"qemu": ["-object", "help"], "qemu-storage-daemon": ["--object", "help"]}
        return frozenset(
            tool
            for tool, words in offers.items()
            if tool in self.paths and MONITOR_OBJECT in _run_if_possible([self[tool], *words])
        )

    @cached_property
    def mixture(self) -> str:
        """The tools of another version than QEMU's, "qemu-img 7.2.22, qemu-io 7.2.22"; "" if all are of one version.

        Tools in QEMU's own directory belong to it, and are not asked. One that does not answer is left to the run.
        """
        home = Path(self["qemu"]).resolve().parent
        others = [tool for tool, path in self.paths.items() if Path(path).resolve().parent != home]
        versions = {tool: _ask_version(self[tool]) for tool in others}
        own = _ask_version(self["qemu"]) if any(versions.values()) else ""
        return ", ".join(f"{tool} {found}" for tool, found in versions.items() if own and found not in ("", own))

    @cached_property
    def formats(self) -> frozenset[str]:
        """The image formats that qemu-img supports. Source: the last paragraphs of `qemu-img --help`.

        :raise SetupError: if it does not list any: an empty list would skip every case.
        """
        found = re.search(
            r"^Supported (?:image )?formats:\s+(.*?)\n\n", _run([self["qemu-img"], "--help"]), re.M | re.S
        )
        if not found:
            raise SetupError(f"{self['qemu-img']} --help does not list the supported formats")
        return frozenset(found[1].split())


def find_programs(options: Mapping[str, str | None], environment: Mapping[str, str]) -> Programs:
    """Find each tool by its option, by its variable, in the directory of a QEMU that was named, or on PATH.

    The tools in the directory of a QEMU belong to the same build. They come before the variables of tools if QEMU is
    named by its option, which all of the variables would contradict.

    :param options: a program for a tool, or None; a name without a slash is looked up on PATH.
    :raise SetupError: if a program given by the user cannot be run, or QEMU, qemu-img or qemu-io is not found.
    """
    paths: dict[str, str] = {}
    for tool, variable in TOOLS.items():
        named = options.get(tool) or _find_named(tool, paths, options, environment)
        path = _which(named, environment) if named else _find_default(tool, environment)
        if path:
            paths[tool] = path
        elif named:
            origin = f"--{tool}" if options.get(tool) else variable
            raise SetupError(f"{origin}: cannot run '{named}'")
        elif tool in REQUIRED:
            raise SetupError(_describe_missing(tool))
    return Programs(paths)


def _run_if_possible(argv: list[str]) -> str:
    """Return what a program prints, "" if it does not end soon or cannot be run: the case that needs it says so."""
    try:
        return _run(argv, OPTIONAL_TIMEOUT_S)
    except SetupError:
        return ""


def _ask_version(program: str) -> str:
    return _find_version(_run_if_possible([program, "--version"]))


def _find_version(output: str) -> str:
    found = re.search(r"(?:version|qemu-nbd) (\d+(?:\.\d+)+)", output)
    return found[1] if found else ""


def _find_sibling(qemu: str, tool: str) -> str | None:
    """Return a tool from the directory of a QEMU; if that is a link, from the directory of its target first."""
    directories = (Path(qemu).resolve().parent, Path(qemu).parent)
    return next((path for each in directories if (path := _which(str(each / tool), {}))), None)


def _find_named(
    tool: str, paths: Mapping[str, str], options: Mapping[str, str | None], environment: Mapping[str, str]
) -> str | None:
    variable = environment.get(TOOLS[tool])
    is_named = options.get("qemu") or environment.get(TOOLS["qemu"])
    sibling = _find_sibling(paths["qemu"], tool) if is_named and tool != "qemu" else None
    return sibling or variable if options.get("qemu") else variable or sibling


def _find_default(tool: str, environment: Mapping[str, str]) -> str | None:
    return next((path for name in _default_names(tool) if (path := _which(name, environment))), None)


def _which(name: str, environment: Mapping[str, str]) -> str | None:
    import shutil

    found = shutil.which(name, path=environment.get("PATH"))
    return str(Path(found).absolute()) if found else None


def _describe_missing(tool: str) -> str:
    names = " or ".join(_default_names(tool)[:2])
    return f"{names} not found on PATH; install it, or give its path with --{tool} or {TOOLS[tool]}"


def _run(argv: list[str], timeout_s: float = PROBE_TIMEOUT_S) -> str:
    import subprocess

    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout_s
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"cannot run {argv[0]}: {error}") from None
    return done.stdout
