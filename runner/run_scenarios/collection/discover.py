"""Find the scenario files that the paths on the command line mean."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.source import Source, Span

SCENARIO_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class FoundFile:
    """A scenario file.

    :param shown_as: its name in messages and reports: relative if it is below the current directory.
    :param selector: the case that was asked for, "" for all cases.
    :param alone: whether this is the only path that the user named.
    """

    path: Path
    shown_as: str
    selector: str = ""
    alone: bool = False


@dataclass(frozen=True)
class MissingPath:
    """A path without a scenario file."""

    path: str
    diagnostic: Diagnostic
    is_empty_directory: bool = False


def discover(arguments: Sequence[str]) -> tuple[list[FoundFile], list[MissingPath]]:
    """Return the files that the arguments mean, without duplicates, sorted within each directory.

    :param arguments: files, directories, and `FILE::CASE` for one case of a matrix.
    """
    found: dict[tuple[str, str], FoundFile] = {}
    missing: list[MissingPath] = []
    for argument in arguments:
        for each in _resolve(argument, alone=len(arguments) == 1):
            if isinstance(each, MissingPath):
                missing.append(each)
            else:
                found.setdefault((each.shown_as, each.selector), each)
    return list(found.values()), missing


def _resolve(argument: str, *, alone: bool) -> Sequence[FoundFile | MissingPath]:
    name, _, selector = argument.partition("::")
    path = Path(name)
    if path.is_dir() and selector:
        hint = f"name the file that has the case, or use -k '{selector}'"
        return [MissingPath(argument, _diagnostic(argument, f"'{name}' is a directory, not a file with cases", hint))]
    if path.is_dir():
        here = str(Path.cwd())
        if files := _find_files(path):
            return [FoundFile(Path(file), _display(file, here)) for file in files]
        empty = _diagnostic(name, "this directory has no scenarios", "scenario files are named *.yaml or *.yml")
        return [MissingPath(name, empty, is_empty_directory=True)]
    if path.exists():
        return [FoundFile(path, display_path(path), selector, alone=alone)]
    siblings = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    return [MissingPath(name, _diagnostic(name, "no such file or directory", did_you_mean(path.name, siblings)))]


def describe_no_scenarios(arguments: Sequence[str]) -> str:
    """Return the reason why there is nothing to run or check."""
    return f"no scenarios in {' '.join(arguments)}"


def display_path(path: Path) -> str:
    """Return the name of a file for messages: relative if it is below the current directory."""
    return _display(os.fspath(path), str(Path.cwd()))


def _display(file: str, here: str) -> str:
    absolute = os.path.normpath(file if file.startswith("/") else f"{here}/{file}")
    return absolute.removeprefix(here.rstrip("/") + "/")


def _find_files(directory: Path) -> list[str]:
    files = []
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [f"{folder}/{name}" for name in names if name.endswith(SCENARIO_SUFFIXES) and not name.startswith(".")]
    return sorted(files, key=lambda file: file.split("/"))


def _diagnostic(name: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(Span(Source(name, ""), 1, 1), message, hint)
