"""Which files are not as in a revision of git. Imports errors only."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from run_scenarios.core.errors import UsageError


def list_changed_files(revision: str) -> frozenset[str]:
    """Return the absolute paths of the files in this repository that differ from a revision, or that git does not know.

    :raise UsageError: if there is no git, no repository around the current directory, or no such revision.
    """
    top = _git("rev-parse", "--show-toplevel")[0]
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")[0]
    known = _git("-C", top, "diff", "--name-only", "--no-renames", "-z", commit, "--")
    new = _git("-C", top, "ls-files", "--others", "--exclude-standard", "-z")
    return frozenset(str(Path(top, name)) for name in (*known, *new))


def _git(*arguments: str) -> list[str]:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"--changed needs git: {error.strerror}") from None
    if done.returncode:
        said = os.fsdecode(done.stderr).strip().split("\n")[0] or f"there is no revision '{arguments[-1][:-9]}'"
        raise UsageError(f"--changed: {said}")
    return [os.fsdecode(part) for part in done.stdout.rstrip(b"\n").split(b"\0") if part]
