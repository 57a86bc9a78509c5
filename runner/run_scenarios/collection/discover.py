"""Paths on the command line to scenario files. Imports errors only."""

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
    """One file to read, and the case of it that was asked for; "" for all of them.

    :param shown_as: its name in messages and reports: relative to the current directory if it is below that.
    :param alone: whether this file is all that the user named.
    """

    path: Path
    shown_as: str
    selector: str = ""
    alone: bool = False


@dataclass(frozen=True)
class MissingPath:
    """A path that leads to no scenario file."""

    path: str
    diagnostic: Diagnostic
    is_empty_directory: bool = False


def discover(arguments: Sequence[str]) -> tuple[list[FoundFile], list[MissingPath]]:
    """Return the files that the arguments mean, each once, in the order of arguments and then of names.

    :param arguments: files, directories, and `FILE::CASE` for one case of a matrix.
    """
    found: dict[tuple[str, str], FoundFile] = {}
    missing: list[MissingPath] = []
    for argument in arguments:
        for each in _meant_by(argument, is_all=len(arguments) == 1):
            if isinstance(each, MissingPath):
                missing.append(each)
            else:
                found.setdefault((each.shown_as, each.selector), each)
    return list(found.values()), missing


def _meant_by(argument: str, *, is_all: bool) -> Sequence[FoundFile | MissingPath]:
    """Return what an argument means; `is_all` says that it is the only one."""
    name, _, selector = argument.partition("::")
    path = Path(name)
    if path.is_dir() and selector:
        hint = f"a case is in a file: name that, or choose with -k '{selector}'"
        return [MissingPath(argument, _diagnostic(argument, f"'{name}' is a directory, which has no cases", hint))]
    if path.is_dir():
        here = str(Path.cwd())
        if files := _files_below(path):
            return [FoundFile(Path(file), _shown(file, here)) for file in files]
        empty = _diagnostic(name, "there is no scenario in this directory", "scenarios end in .yaml")
        return [MissingPath(name, empty, is_empty_directory=True)]
    if path.exists():
        return [FoundFile(path, display_path(path), selector, alone=is_all)]
    there = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    return [MissingPath(name, _diagnostic(name, "no such file or directory", did_you_mean(path.name, there)))]


def describe_no_scenarios(arguments: Sequence[str]) -> str:
    """Return what is said if the arguments lead to no scenario at all."""
    return f"no scenarios in {' '.join(arguments)}"


def display_path(path: Path) -> str:
    """Return the name of a file in messages: relative to the current directory if it is below that."""
    return _shown(os.fspath(path), str(Path.cwd()))


def _shown(file: str, here: str) -> str:
    absolute = os.path.normpath(file if file.startswith("/") else f"{here}/{file}")
    return absolute.removeprefix(here.rstrip("/") + "/")


def _files_below(directory: Path) -> list[str]:
    files = []
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [f"{folder}/{name}" for name in names if name.endswith(SCENARIO_SUFFIXES) and not name.startswith(".")]
    return sorted(files, key=lambda file: file.split("/"))


def _diagnostic(name: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(Span(Source(name, ""), 1, 1), message, hint)
