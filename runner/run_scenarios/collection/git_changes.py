"""Files that differ from a git revision."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable

from run_scenarios.core.errors import UsageError


def find_changed_files(files: Iterable[str], revision: str) -> set[str]:
    """Return those of the files that differ from a revision of this repository, or are untracked.

    A symbolic link differs if it leads elsewhere, or to a file that differs.

    :param files: absolute paths.

    :raise UsageError: if git is not installed, or the current repository or the revision does not exist.
    """
    top = _run_git("rev-parse", "--show-toplevel")[0]
    commit = _run_git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")[0]
    known = _run_git("-C", top, "diff", "--name-only", "--no-renames", "-z", commit, "--")
    new = _run_git("-C", top, "ls-files", "--others", "--exclude-standard", "-z")
    changed = {os.path.realpath(top) + "/" + name for name in (*known, *new)}
    return {file for file in files if not changed.isdisjoint(_real_names(file))}


def _real_names(file: str) -> tuple[str, str]:
    """Return the path of a file without symbolic links, and that of the file that it leads to."""
    directory, name = os.path.split(file)
    return f"{os.path.realpath(directory)}/{name}", os.path.realpath(file)


def _run_git(*arguments: str) -> list[str]:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"--changed needs git: {error.strerror}") from None
    if done.returncode:
        message = os.fsdecode(done.stderr).strip().split("\n")[0] or f"unknown revision '{arguments[-1][:-9]}'"
        raise UsageError(f"--changed: {message}")
    return [os.fsdecode(part) for part in done.stdout.rstrip(b"\n").split(b"\0") if part]
