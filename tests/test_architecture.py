"""Imports among the modules run one way, and few modules know that they belong to a command."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import runner

ROOT = Path(runner.__file__).parent
FOUNDATION = [
    {"errors"},
    {"nodes"},
    {"schema_errors"},
    {"bounded", "inside"},
    {"confine", "expressions", "match", "load", "schema"},
    {"process", "trace", "guardian"},
    {"qemu"},
    {"programs"},
    {"steps.base", "steps.shapes"},
    {"steps"},
    {"language"},
    {"read_steps"},
    {"scenario"},
    {"validate"},
    {"plan"},
    {"definitions", "shards"},
    {"execute"},
    {"collect"},
    {"select"},
    {"run"},
    {"cli"},
]
"""What each layer may import lies above it; a module that is not named here is bound by the absence of circles only."""
FRONT = {
    "cli",
    "options",
    "run",
    "cache",
    "basis",
    "answers",
    "report.annotations",
    "report.job_summary",
    "__main__",
    "cluster.agent",
    "cluster.worker",
}
"""The modules that belong to the command: they alone see the environment and standard output."""


def modules() -> dict[str, ast.Module]:
    """Return every module of the package, parsed, by its name within the package."""
    found = {}
    for file in sorted(ROOT.rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(file.read_text())
    return found


MODULES = modules()


def imports(name: str) -> set[str]:
    """Return the modules of ours that a module imports."""
    found: set[str] = set()
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "runner":
            base = (node.module or "").partition(".")[2]
            names = [".".join(filter(None, (base, alias.name))) for alias in node.names]
            found |= {each if each in MODULES else base for each in names}
    return found - {"", name, "__init__"}


def uses(name: str, owner: str, attribute: str) -> bool:
    """Tell whether a module uses an attribute of a module of Python's."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == attribute
        and isinstance(node.value, ast.Name)
        and node.value.id == owner
        for node in ast.walk(MODULES[name])
    )


def level(name: str) -> int | None:
    """Return the layer of a module; a verb's is that of `steps`."""
    for number, layer in enumerate(FOUNDATION):
        if name in layer:
            return number
    return level("steps") if name.startswith("steps.") else None


@pytest.mark.parametrize("name", [name for name in MODULES if level(name) is not None])
def test_a_layer_imports_only_layers_below(name: str) -> None:
    own = level(name)
    assert own is not None
    for other in imports(name):
        below = level(other)
        siblings = name.startswith("steps") and other.startswith("steps.")
        peers = below == own and name in FOUNDATION[own] and other in FOUNDATION[own]
        assert below is None or below < own or siblings or peers, f"{name} imports {other}"


def test_no_import_closes_a_circle() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if name in path:
            yield (*path[path.index(name) :], name)
        elif name not in done:
            for other in sorted(imports(name) & MODULES.keys()):
                yield from visit(other, (*path, name))
            done.add(name)

    circles = [circle for name in MODULES for circle in visit(name, ())]
    assert not circles


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("report.")])
def test_a_report_knows_events_and_nothing_else(name: str) -> None:
    allowed = {"model", "errors", "nodes"}
    strange = {other for other in imports(name) if other not in allowed and not other.startswith("report")}
    assert not strange


def test_nobody_imports_the_command() -> None:
    importers = {name for name in MODULES if "cli" in imports(name)}
    assert importers <= {"__main__"}


def test_only_the_front_looks_at_the_environment() -> None:
    users = {name for name in MODULES if uses(name, "os", "environ")}
    assert users <= FRONT | {"process"}


def test_only_the_front_writes_to_standard_output() -> None:
    users = {name for name in MODULES if uses(name, "sys", "stdout")}
    assert users <= FRONT
