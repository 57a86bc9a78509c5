"""Does the QEMU under test offer what a scenario requires? Imports programs and validate."""

from __future__ import annotations

import re

from runner.programs import Capabilities, Programs
from runner.validate import Requirements


def unmet(requires: Requirements, programs: Programs, capabilities: Capabilities) -> str:
    """Return the first requirement that is not met, as the reason to skip; "" if all are."""
    if requires.qemu and not _version_fits(requires.qemu, capabilities.version):
        return f"needs QEMU {requires.qemu.strip()}, this is {_dotted(capabilities.version)}"
    offers: dict[str, tuple[str, frozenset[str]]] = {
        "commands": ("QMP command", capabilities.commands),
        "features": ("QMP feature", capabilities.features),
        "formats": ("image format", programs.formats),
        "tools": ("program", frozenset(programs.paths)),
        "accelerators": ("accelerator", programs.accelerators),
    }
    for kind, needed in requires.lists.items():
        what, offered = offers[kind]
        for name in needed:
            if name not in offered:
                return f"QEMU {_dotted(capabilities.version)} has no {what} '{name}'"
    return ""


def _version_fits(wanted: str, version: tuple[int, int, int]) -> bool:
    found = re.fullmatch(r"\s*(>=|<)\s*([0-9.]+)\s*", wanted)
    assert found, "the schema checks this"
    limit = tuple(int(part) for part in found[2].split("."))
    return (version >= limit) if found[1] == ">=" else (version < limit)


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
