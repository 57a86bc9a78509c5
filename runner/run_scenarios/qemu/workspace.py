"""Create the directories of a case, and keep the artifacts of failed cases.

A case has two directories: an empty one, the working directory of QEMU and every tool, removed after the case; and one
for the trace and the output of QEMU, kept if the case fails or the user asks for it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from run_scenarios.core.errors import SetupError, UsageError
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.mounts import unmount_below

MAX_NAME_LENGTH = 150
MARKER = ".run-scenarios"
"""A file that shows that a directory of artifacts may be replaced."""


@dataclass(frozen=True)
class CaseDirectories:
    """The working directory of a case, and the directory for its logs."""

    work: Path
    logs: Path


class Workspace:
    """Creates the directories of the cases of a run, and keeps the artifacts of failed cases.

    :param test_dir: the parent of the run's directory.
    :param artifacts: a directory for the logs of every case, None to keep those of failed cases only, in `test_dir`.
    :param keep: also keep the images.
    """

    def __init__(self, test_dir: Path, artifacts: Path | None, keep: bool, guardian: Guardian) -> None:
        self._artifacts = _create_directory(artifacts) if artifacts else None
        self._root = _create_root(test_dir)
        self._keep = keep
        self._guardian = guardian
        self._default_artifacts: Path | None = None
        self._lock = threading.Lock()
        guardian.watch_directory(self._root)

    def create(self, index: int) -> CaseDirectories:
        """Create the directories of the case with this index in the plan.

        :raise SetupError: if they cannot be created.
        """
        base = self._root / str(index)
        try:
            (base / "work").mkdir(parents=True)
            (base / "logs").mkdir()
        except OSError as error:
            raise SetupError(f"cannot create {base}: {error.strerror}") from None
        return CaseDirectories(base / "work", base / "logs")

    def finish(self, directories: CaseDirectories, name: str, *, failed: bool) -> str:
        """Remove the directories of a case, and return the directory of its artifacts, "" if they are not kept.

        Can be called from any thread.

        :raise SetupError: if the artifacts cannot be written.
        """
        kept = ""
        unmount_below(directories.work)
        try:
            if self.must_keep(failed=failed):
                kept = str(self._store(directories, name))
        except OSError as error:
            raise SetupError(f"cannot keep the artifacts of {name}: {error.strerror}") from None
        finally:
            self.discard(directories)
        return kept

    def must_keep(self, *, failed: bool) -> bool:
        """Return whether the logs of a case that failed, or passed, are kept."""
        return failed or self._artifacts is not None or self._keep

    def discard(self, directories: CaseDirectories) -> None:
        """Remove the directories of a case without keeping anything. Can be called from any thread."""
        unmount_below(directories.work.parent)
        shutil.rmtree(directories.work.parent, ignore_errors=True)

    @property
    def keeps_artifacts_of_all(self) -> bool:
        """Whether the logs of passed cases are kept too."""
        return self._artifacts is not None

    def store_artifacts(self, name: str, files: Mapping[str, bytes]) -> str:
        """Keep the logs of a case that ran on another machine, and return their directory.

        :param files: the contents, by path relative to that directory.
        :raise SetupError: if they cannot be written.
        """
        target = self._artifacts_directory() / _make_file_name(name)
        try:
            with _replaced_directory(target) as directory:
                for path, content in files.items():
                    file = directory / path
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(content)
        except OSError as error:
            raise SetupError(f"cannot keep the artifacts of {name}: {error.strerror}") from None
        return str(target.absolute())

    def check_artifacts(self, names: Iterable[str]) -> None:
        """Check that the artifacts of these cases would replace only those of an earlier run.

        :raise UsageError: if a directory of that name holds something else.
        """
        if self._artifacts:
            for name in names:
                _check_replaceable(self._artifacts / _make_file_name(name))

    def remove(self) -> None:
        """Remove the run's directory.

        :raise SetupError: if it cannot be removed.
        """
        unmount_below(self._root)
        shutil.rmtree(self._root, ignore_errors=True)
        if self._root.exists():
            raise SetupError(f"cannot remove {self._root}: find the process that uses it, and remove it manually")
        self._guardian.forget_directory(self._root)

    def _store(self, directories: CaseDirectories, name: str) -> Path:
        target = self._artifacts_directory() / _make_file_name(name)
        with _replaced_directory(target) as directory:
            for each in directories.logs.iterdir():
                shutil.move(each, directory)
            if self._keep:
                shutil.move(directories.work, directory / "images")
        return target.absolute()

    def _artifacts_directory(self) -> Path:
        if self._artifacts:
            return self._artifacts
        with self._lock:
            if self._default_artifacts is None:
                self._default_artifacts = Path(tempfile.mkdtemp(prefix="run-scenarios-kept-", dir=self._root.parent))
            return self._default_artifacts


@contextlib.contextmanager
def _replaced_directory(target: Path) -> Iterator[Path]:
    """Yield a new directory that takes the place of the artifacts of an earlier run.

    Another run can replace the same artifacts at the same time: the last one wins.

    :raise UsageError: if the target holds something else.
    """
    _check_replaceable(target)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as parent:
        new = Path(parent, "new")
        new.mkdir()
        (new / MARKER).touch()
        yield new
        for number in itertools.count():
            with contextlib.suppress(FileNotFoundError):
                target.rename(Path(parent, str(number)))
            try:
                new.rename(target)
                break
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise


def _check_replaceable(target: Path) -> None:
    if os.path.lexists(target) and not (target / MARKER).is_file():
        raise UsageError(f"--artifacts: {target} exists and is not from an earlier run")


def _create_root(test_dir: Path) -> Path:
    _create_directory(test_dir)
    try:
        return Path(tempfile.mkdtemp(prefix="run-scenarios-", dir=test_dir)).absolute()
    except OSError as error:
        raise SetupError(f"cannot create a directory in {test_dir}: {error.strerror}") from None


def _create_directory(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"cannot create {directory}: {error.strerror}") from None
    return directory


def _make_file_name(name: str) -> str:
    """Turn the name of a case into a unique plain file name: `a/b[x=1]` becomes `a+b@x=1`.

    A hash is added if the result would be ambiguous.
    """
    readable = re.sub(r"\[(.*)\]$", r"@\1", name).replace("/", "+")
    plain = re.sub(r"[^A-Za-z0-9._=,@+-]+", "-", readable)[:MAX_NAME_LENGTH]
    if plain == readable and not re.search(r"^[.-]|[@+]", name):
        return plain
    return f"{plain.lstrip('.-')}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
