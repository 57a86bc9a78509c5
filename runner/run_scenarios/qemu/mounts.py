"""File systems that a QEMU mounted in a case's directory: a FUSE export outlives its QEMU if that is killed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
MOUNT_POINT = 4
MNT_DETACH = 2
UNMOUNTERS = ("fusermount3", "fusermount")
"""Programs that let a user unmount her own FUSE mounts."""
OCTAL = re.compile(rb"\\([0-7]{3})")


def unmount_below(directory: Path) -> None:
    """Unmount what is mounted in a directory, innermost first; what cannot be unmounted stays.

    A mount whose server is gone is detached, and is gone when nothing uses it any more. Source: umount(2), proc(5).
    """
    for point in reversed(list(_find_mount_points(os.fsencode(directory.resolve())))):
        if not _detach(point):
            _unmount_as_user(point)


def _detach(point: bytes) -> bool:
    import ctypes

    return bool(ctypes.CDLL(None).umount2(point, MNT_DETACH) == 0)


def _find_mount_points(directory: bytes) -> Iterator[bytes]:
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        point = OCTAL.sub(lambda found: bytes([int(found[1], 8)]), line.split(b" ")[MOUNT_POINT])
        if point.startswith(directory + b"/"):
            yield point


def _unmount_as_user(point: bytes) -> None:
    import subprocess

    for program in UNMOUNTERS:
        try:
            done = subprocess.run([program, "-u", "-z", "--", point], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return
