"""Compare what a scenario requires with what the QEMU under test offers."""

from __future__ import annotations

import re
from collections.abc import Container

from run_scenarios.qemu.programs import Programs
from run_scenarios.qmp.schema import QmpSchema
from run_scenarios.scenario.model import Requirements


def find_unmet_requirement(requires: Requirements, programs: Programs | None, schema: QmpSchema) -> str:
    """Return the first requirement that is not met, as the reason to skip; "" if all are.

    :param programs: None if there is only a schema; requirements that a schema cannot answer count as met then.
    """
    if requires.qemu and not is_in_range(requires.qemu, schema.version):
        return f"needs QEMU {requires.qemu.strip()}, this is {_format_version(schema.version)}"
    for kind, needed in requires.lists.items():
        what, offered = _list_offered(kind, programs, schema)
        for name in needed:
            if offered is not None and name not in offered:
                return f"QEMU {_format_version(schema.version)} has no {what} '{name}'"
    return ""


def _list_offered(kind: str, programs: Programs | None, schema: QmpSchema) -> tuple[str, Container[str] | None]:
    """Return the name of a kind of requirement, and what is offered of it, None if that is not known."""
    match kind:
        case "commands":
            return "QMP command", schema.commands
        case "features":
            return "QMP feature", schema.features
        case "formats":
            return "image format", programs.formats if programs else None
        case "tools":
            return "program", programs.paths if programs else None
        case _:
            return "accelerator", programs.accelerators if programs else None


def parse_version_range(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the operator and the version of a range such as `>= 8.0`."""
    found = re.fullmatch(r"\s*(>=|<)\s*([0-9.]+)\s*", text)
    assert found, "the schema checks this"
    return found[1], tuple(int(part) for part in found[2].split("."))


def is_in_range(wanted: str, version: tuple[int, ...]) -> bool:
    """Tell whether a version is in a range such as `>= 8.0`."""
    operator, limit = parse_version_range(wanted)
    return (version >= limit) if operator == ">=" else (version < limit)


def _format_version(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
