"""Options of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunOptions:
    """How to run the selected cases.

    :param command: the command line, for reports.
    :param cluster: the address of a Dask scheduler, None to run the cases here.
    :param artifacts: a directory for the artifacts of every case, None to keep those of failed cases only.
    :param keep_images: also keep the images.
    :param records_traffic: whether the events of steps hold their QMP messages.
    """

    command: str = ""
    jobs: int = 1
    fail_fast: bool = False
    cluster: str | None = None
    artifacts: Path | None = None
    keep_images: bool = False
    records_traffic: bool = False
    pause_each_step: bool = False
    pause_on_failure: bool = False
