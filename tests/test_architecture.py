"""The table of packages: each may import only from those above it, and every module belongs to one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import run_scenarios

ROOT = Path(run_scenarios.__file__).parent
PACKAGES = (
    "core",
    "content",
    "syntax",
    "qemu",
    "report",
    "steps",
    "scenario",
    "qmp",
    "lint",
    "collection",
    "execution",
    "audit",
    "sweep",
    "authoring",
    "cli",
)
"""From the bottom up."""
MAY_IMPORT = {
    "core": (),
    "content": ("core",),
    "syntax": ("core",),
    "qemu": ("core",),
    "report": ("core",),
    "steps": ("core", "content", "syntax", "qemu"),
    "scenario": ("core", "content", "syntax", "qemu", "steps"),
    "qmp": ("core", "content", "syntax", "qemu", "steps", "scenario"),
    "lint": ("core", "content", "syntax", "qemu", "steps", "scenario"),
    "collection": ("core", "content", "syntax", "qemu", "steps", "scenario", "qmp", "lint"),
    "execution": ("core", "content", "syntax", "qemu", "steps", "scenario", "qmp", "collection"),
    "audit": ("core", "content", "syntax", "qemu", "steps", "scenario", "collection", "execution"),
    "sweep": ("core", "content", "syntax", "qemu", "steps", "scenario", "collection", "execution"),
    "authoring": ("core", "content", "syntax", "qemu", "steps", "scenario", "qmp", "lint"),
    "cli": PACKAGES,
}
FOR_TYPES_ONLY = {("steps.scope", "steps.verb")}
"""Imports under TYPE_CHECKING: a step has a verb, which runs blocks of steps, so their types refer to each other."""
AT_THE_ROOT = {"", "__main__", "pytest_plugin"}
"""The modules outside all packages; they may import any."""
MAY_READ_THE_ENVIRONMENT = {
    "core.cache",
    "execution.cluster.agent",
    "execution.cluster.worker",
    "execution.session",
    "qemu.builds",
    "qemu.process",
    "report.annotations",
    "report.job_summary",
}
MAY_WRITE_TO_STANDARD_OUTPUT = {"execution.cluster.agent", "execution.cluster.worker", "report.annotations"}


def parse_modules() -> dict[str, ast.Module]:
    """Return every module of the package, parsed, by its name within the package."""
    found = {}
    for file in sorted(ROOT.rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").removesuffix(".")
        found[name] = ast.parse(file.read_text())
    return found


MODULES = parse_modules()


def package_of(module: str) -> str:
    return module.partition(".")[0]


def imports_of(name: str) -> set[str]:
    """Return the modules of the package that a module imports, at its top or within functions."""
    return imports_in([MODULES[name]]) - {"", name}


def imports_in(trees: Sequence[ast.AST]) -> set[str]:
    found: set[str] = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.ImportFrom) and package_of(node.module or "") == "run_scenarios":
            base = (node.module or "").partition(".")[2]
            names = [".".join(filter(None, (base, alias.name))) for alias in node.names]
            found |= {each if each in MODULES else base for each in names}
    return found


def types_only(name: str) -> set[str]:
    return {other for importer, other in FOR_TYPES_ONLY if importer == name}


def uses(name: str, owner: str, attribute: str) -> bool:
    """Tell whether a module uses an attribute of a module of the standard library."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == attribute
        and isinstance(node.value, ast.Name)
        and node.value.id == owner
        for node in ast.walk(MODULES[name])
    )


def test_every_module_belongs_to_a_package() -> None:
    assert {package_of(name) for name in MODULES if name not in AT_THE_ROOT} == set(PACKAGES)


def test_the_layout_in_the_contributing_guide_is_that_of_the_tree() -> None:
    guide = (ROOT.parents[1] / "CONTRIBUTING.md").read_text()
    assert tuple(re.findall(r"^\| `(\w+)/` \|", guide, re.MULTILINE)) == PACKAGES


def test_the_table_allows_imports_in_one_direction_only() -> None:
    for package, allowed in MAY_IMPORT.items():
        assert package == "cli" or set(allowed) <= set(PACKAGES[: PACKAGES.index(package)])


@pytest.mark.parametrize("name", [name for name in MODULES if name not in AT_THE_ROOT])
def test_a_module_imports_only_what_the_table_allows(name: str) -> None:
    allowed = {package_of(name), *MAY_IMPORT[package_of(name)]}
    refused = {other for other in imports_of(name) if package_of(other) not in allowed}
    assert not refused


def test_no_imports_form_a_cycle() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if name in path:
            yield (*path[path.index(name) :], name)
        elif name not in done:
            for other in sorted(imports_of(name) & MODULES.keys() - types_only(name)):
                yield from visit(other, (*path, name))
            done.add(name)

    assert not [cycle for name in MODULES for cycle in visit(name, ())]


@pytest.mark.parametrize(("name", "other"), FOR_TYPES_ONLY)
def test_an_import_for_types_only_is_not_executed(name: str, other: str) -> None:
    executed = [
        node for node in MODULES[name].body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    ]
    assert other in imports_of(name)
    assert other not in imports_in(executed)


def test_only_the_root_imports_the_command() -> None:
    importers = {name for name in MODULES if any(package_of(other) == "cli" for other in imports_of(name))}
    assert {name for name in importers if package_of(name) != "cli"} <= AT_THE_ROOT


def test_few_modules_read_the_environment() -> None:
    users = {name for name in MODULES if uses(name, "os", "environ") and package_of(name) != "cli"}
    assert users <= MAY_READ_THE_ENVIRONMENT


def test_few_modules_write_to_standard_output() -> None:
    users = {name for name in MODULES if uses(name, "sys", "stdout") and package_of(name) != "cli"}
    assert users <= MAY_WRITE_TO_STANDARD_OUTPUT
