"""The verb `read`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from runner.steps.disk import DISK, IO_FAILURE, PATTERNS, PatternVerb
from runner.steps.shapes import described, record


@dataclass(frozen=True)
class Read(PatternVerb):
    """Read ranges with qemu-io and check that each is filled with its byte.

    Like `write`, it works on `file` or on `device`. A pattern without `byte` is read and not checked.

    .. code-block:: yaml

        - read: {device: drive0, patterns: [{byte: 0x41, at: 0, size: 512}]}
        - read: {file: inc0.qcow2, patterns: [{byte: 0, at: 1M, size: 32k}]}
    """

    NAME = "read"
    DONE = "read"
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = record(
        ["patterns"], **DISK, patterns=described(PATTERNS, "what must be found, in this order")
    )
