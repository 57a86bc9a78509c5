"""The directories of a case: one for QEMU to work in, one for what is kept. Imports guardian.

The first is empty, the working directory of QEMU and every tool, and gone after the case. The second holds the trace
and what QEMU printed; it is kept when the user asks for it, and always for a case that failed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from run_scenarios.core.errors import SetupError
from run_scenarios.qemu.guardian import Guardian

MAX_NAME = 150


@dataclass(frozen=True)
class CaseDirectories:
    """Where a case works, and where its logs go."""

    work: Path
    logs: Path


class Workspace:
    """Makes the directories of a run's cases below TEST_DIR, and keeps those of failed cases.

    :param test_dir: where case directories are made.
    :param artifacts: where every case's logs are kept, None to keep those of failed cases only, below `test_dir`.
    :param keep: keep the images too.
    """

    def __init__(self, test_dir: Path, artifacts: Path | None, keep: bool, guardian: Guardian) -> None:
        self._artifacts = _make(artifacts) if artifacts else None
        self._root = _make_root(test_dir)
        self._keep = keep
        self._guardian = guardian
        self._kept: Path | None = None
        self._making_kept = threading.Lock()
        guardian.watch_directory(self._root)

    def create(self, index: int) -> CaseDirectories:
        """Make the directories of the case with this index in the plan.

        :raise SetupError: if that is not possible.
        """
        base = self._root / str(index)
        try:
            (base / "work").mkdir(parents=True)
            (base / "logs").mkdir()
        except OSError as error:
            raise SetupError(f"cannot make {base}: {error.strerror}") from None
        return CaseDirectories(base / "work", base / "logs")

    def finish(self, directories: CaseDirectories, name: str, *, failed: bool) -> str:
        """Remove the directories of a case, and return where its artifacts are kept, "" if they are not.

        May be called in any thread.

        :raise SetupError: if the artifacts cannot be written.
        """
        kept = ""
        try:
            if self.must_keep(failed=failed):
                kept = str(self._store(directories, name))
        except OSError as error:
            raise SetupError(f"cannot keep the artifacts of {name}: {error.strerror}") from None
        finally:
            self.discard(directories)
        return kept

    def must_keep(self, *, failed: bool) -> bool:
        """Whether the logs of a case are kept that failed, or did not."""
        return failed or self._artifacts is not None or self._keep

    def discard(self, directories: CaseDirectories) -> None:
        """Remove the directories of a case, and keep nothing. May be called in any thread."""
        shutil.rmtree(directories.work.parent, ignore_errors=True)

    @property
    def keeps_artifacts_of_all(self) -> bool:
        """Whether the logs of every case are kept, and not only of those that failed."""
        return self._artifacts is not None

    def store_artifacts(self, name: str, files: Mapping[str, bytes]) -> str:
        """Keep the logs of a case that ran elsewhere, and return where.

        :param files: their contents, by path below the case's directory of artifacts.
        :raise SetupError: if they cannot be written.
        """
        target = self._place() / _file_name(name)
        try:
            shutil.rmtree(target, ignore_errors=True)
            for path, content in files.items():
                file = target / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        except OSError as error:
            raise SetupError(f"cannot keep the artifacts of {name}: {error.strerror}") from None
        return str(target.absolute())

    def remove(self) -> None:
        """Remove what is left of the run's directory.

        :raise SetupError: if that is not possible.
        """
        shutil.rmtree(self._root, ignore_errors=True)
        if self._root.exists():
            raise SetupError(f"cannot remove {self._root}: look who keeps it, and remove it by hand")
        self._guardian.forget_directory(self._root)

    def _store(self, directories: CaseDirectories, name: str) -> Path:
        target = self._place() / _file_name(name)
        if target.exists():
            shutil.rmtree(target)
        shutil.move(directories.logs, target)
        if self._keep:
            shutil.move(directories.work, target / "images")
        return target.absolute()

    def _place(self) -> Path:
        if self._artifacts:
            return self._artifacts
        with self._making_kept:
            if self._kept is None:
                self._kept = Path(tempfile.mkdtemp(prefix="run-scenarios-kept-", dir=self._root.parent))
            return self._kept


def _make_root(test_dir: Path) -> Path:
    _make(test_dir)
    try:
        return Path(tempfile.mkdtemp(prefix="run-scenarios-", dir=test_dir)).absolute()
    except OSError as error:
        raise SetupError(f"cannot make a directory in {test_dir}: {error.strerror}") from None


def _make(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"cannot make {directory}: {error.strerror}") from None
    return directory


def _file_name(name: str) -> str:
    """Return a case's name as one plain file name, unique as the name is: `a/b[x=1]` becomes `a+b@x=1`.

    What cannot be told from another name then gets a hash.
    """
    readable = re.sub(r"\[(.*)\]$", r"@\1", name).replace("/", "+")
    plain = re.sub(r"[^A-Za-z0-9._=,@+-]+", "-", readable)[:MAX_NAME]
    if plain == readable and not re.search(r"^[.-]|[@+]", name):
        return plain
    return f"{plain.lstrip('.-')}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
