"""Files for reports: never overwrite anything else, and replace an earlier report only when the new one is complete."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from run_scenarios.collection.discover import SCENARIO_SUFFIXES
from run_scenarios.core.errors import SetupError, UsageError
from run_scenarios.report.stream import LineStream

HEAD_BYTES = 4096
STANDARD_OUTPUT = 1
DURATIONS = re.compile(rb'\{\s*(?:\}|"(?:[^"\\]|\\.)*"\s*:\s*[0-9])')
IS_REPORT: dict[str, Callable[[bytes], bool]] = {
    "--tap": lambda head: head.startswith(b"TAP version 13"),
    "--junit": lambda head: head.startswith(b"<?xml") and b"<testsuites" in head,
    "--html": lambda head: b"<title>run-scenarios</title>" in head,
    "--json": lambda head: head.startswith(b'{"event": "report"'),
    "--save-durations": lambda head: DURATIONS.match(head) is not None,
    "--save-qmp-schema": lambda head: head.startswith(b'{"qemu":'),
}
"""Whether the first bytes of a file are those of a report, by the option that writes it."""

Identity = tuple[int, int] | Path


def check_report_files(files: Mapping[str, Path], *, prints_tap: bool = False) -> None:
    """Check that reports replace nothing but earlier reports of the same kind.

    :param files: the file of each report, by its option.
    :param prints_tap: whether the TAP report goes to standard output.
    :raise UsageError: if a file exists and is something else, or two reports have the same file.
    """
    options: dict[Identity, str] = {}
    if prints_tap and (status := _stat_descriptor(STANDARD_OUTPUT)):
        options[status.st_dev, status.st_ino] = "the TAP report on standard output"
    for option, file in files.items():
        if _is_null_device(file):
            continue
        other = options.setdefault(_identify(file), option)
        if other != option:
            raise UsageError(f"{option} {file}: this is also the file of {other}")
        _check_replaceable(option, file)


@contextlib.contextmanager
def open_report(file: Path, *, in_place: bool = False) -> Iterator[LineStream]:
    """Yield a stream for a report, which gets its file name only once it is complete.

    The report of an earlier run is removed first, so that it cannot be mistaken for that of this run. A file that is
    not regular, such as a FIFO, is written directly, and a symbolic link stays one.

    :param in_place: give the file its name at once, so that others can follow it.
    :raise SetupError: if the file cannot be written.
    """
    part: Path | None
    try:
        target = Path(os.path.realpath(file))
        if _must_write_directly(file):
            part, opened = None, _open_directly(file)
        else:
            part, opened = _create_part(target)
            if in_place:
                part.replace(target)
                part = None
            else:
                target.unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(f"cannot write {file}: {error.strerror}") from None
    with opened as text:
        stream = LineStream(text)
        try:
            yield stream
        finally:
            if part and stream.closed:
                part.unlink()
            elif part:
                part.replace(target)


def _identify(file: Path) -> Identity:
    """Return a value that is equal for two names of the same file, whether it exists or not."""
    try:
        status = file.stat()
        return status.st_dev, status.st_ino
    except OSError:
        return Path(os.path.realpath(file))


def _check_replaceable(option: str, file: Path) -> None:
    try:
        if not file.exists() or _must_write_directly(file):
            return
        with file.open("rb") as content:
            head = content.read(HEAD_BYTES)
    except OSError as error:
        raise UsageError(f"{option} {file}: {error.strerror}") from None
    is_empty = not head and file.suffix not in SCENARIO_SUFFIXES
    if not (is_empty or IS_REPORT[option](head)):
        raise UsageError(f"{option} {file}: the file exists and is not an earlier report of this kind")


def _must_write_directly(file: Path) -> bool:
    """Return whether a file is not regular, or is what standard output or standard error was redirected to."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return False
    own = (_stat_descriptor(STANDARD_OUTPUT), _stat_descriptor(STANDARD_OUTPUT + 1))
    return not stat.S_ISREG(status.st_mode) or any(each and os.path.samestat(each, status) for each in own)


def _open_directly(file: Path) -> IO[str]:
    # Append: a redirected standard output shares its file with others.
    return file.open("a", encoding="utf-8", newline="\n", errors="replace")


def _create_part(target: Path) -> tuple[Path, IO[str]]:
    """Create the file for an unfinished report; its name has the process ID, for runs with the same report."""
    for suffix in itertools.chain(("",), (f".{number}" for number in itertools.count(2))):
        part = target.with_name(f"{target.name}.{os.getpid()}{suffix}.part")
        with contextlib.suppress(FileExistsError):
            return part, part.open("x", encoding="utf-8", newline="\n", errors="replace")
    raise AssertionError("unreachable")


def _stat_descriptor(number: int) -> os.stat_result | None:
    try:
        return os.fstat(number)
    except OSError:
        return None


def _is_null_device(file: Path) -> bool:
    try:
        return os.path.samestat(file.stat(), Path(os.devnull).stat())
    except OSError:
        return False
