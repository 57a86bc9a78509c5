"""Complete the command line in a shell, by argcomplete.

The script that `--print-completion` prints starts the command with `_ARGCOMPLETE` in its environment.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

import argcomplete
from argcomplete.completers import DirectoriesCompleter, FilesCompleter

from run_scenarios.collection.collector import collect
from run_scenarios.collection.discover import SCENARIO_SUFFIXES
from run_scenarios.lint.rules import RULES
from run_scenarios.scenario.case import Case
from run_scenarios.steps import VERBS

Completer = Callable[..., Iterable[str]]
DEFAULT_PATH = "scenarios"


def complete(parser: argparse.ArgumentParser) -> None:
    """Print the completions that the environment asks for, and exit."""
    for action in parser._actions:
        if action.nargs != 0 and not action.choices:
            completer = COMPLETERS.get(str(action.metavar or action.dest.upper()), complete_nothing)
            action.completer = completer  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options=False)


def complete_path(prefix: str, **_: object) -> Iterable[str]:
    """Return scenario files, directories, and behind `FILE::` the cases of the file."""
    file, separator, _label = prefix.partition("::")
    if separator:
        return [f"{file}::{case.label}" for case in _collect([file]) if case.label]
    return list(FilesCompleter([suffix.removeprefix(".") for suffix in SCENARIO_SUFFIXES])(prefix))


def complete_tag(parsed_args: argparse.Namespace, **_: object) -> Iterable[str]:
    """Return the tags of the scenarios on the command line, or of those in `scenarios/`."""
    return sorted({tag for case in _collect(parsed_args.paths or [DEFAULT_PATH]) for tag in case.file.tags})


def complete_word(**_: object) -> Iterable[str]:
    """Return everything that `--explain` explains."""
    return [*VERBS, *(rule.code for rule in RULES)]


def complete_nothing(**_: object) -> Iterable[str]:
    """Return no completions, for values that only the user knows."""
    return ()


def _collect(paths: list[str]) -> list[Case]:
    return collect(paths).cases


COMPLETERS: dict[str, Completer] = {
    "DIR": DirectoriesCompleter(),
    "FILE": FilesCompleter(),
    "PATH": complete_path,
    "PROG": FilesCompleter(),
    "TAG": complete_tag,
    "WORD": complete_word,
}
"""The completer of each kind of value."""
