"""Files that differ from a git revision."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from run_scenarios.core.errors import UsageError


def list_changed_files(revision: str) -> frozenset[str]:
    """Return the absolute paths of files in this repository that differ from a revision or are untracked.

    :raise UsageError: if git is not installed, or the current repository or the revision does not exist.
    """
    top = _run_git("rev-parse", "--show-toplevel")[0]
    commit = _run_git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")[0]
    known = _run_git("-C", top, "diff", "--name-only", "--no-renames", "-z", commit, "--")
    new = _run_git("-C", top, "ls-files", "--others", "--exclude-standard", "-z")
    return frozenset(str(Path(top, name)) for name in (*known, *new))


def _run_git(*arguments: str) -> list[str]:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"--changed needs git: {error.strerror}") from None
    if done.returncode:
        message = os.fsdecode(done.stderr).strip().split("\n")[0] or f"unknown revision '{arguments[-1][:-9]}'"
        raise UsageError(f"--changed: {message}")
    return [os.fsdecode(part) for part in done.stdout.rstrip(b"\n").split(b"\0") if part]
