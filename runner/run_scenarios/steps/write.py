"""The verb `write`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from run_scenarios.content.disks import DEFAULT_BYTE, Disks
from run_scenarios.steps.argument_types import document, object_schema
from run_scenarios.steps.qemu_io_commands import IO_FAILURE, IO_TARGET, PATTERNS, PatternVerb


@dataclass(frozen=True)
class Write(PatternVerb):
    """Write patterns with qemu-io to `file`, which no VM may have open, or to `device` of the running VM.

    The step fails if a write does not report all its bytes as written.

    .. code-block:: yaml

        - write: {file: drive0.qcow2, patterns: [{byte: 0x41, at: 0, size: 512}]}
        - write:
            device: drive0
            patterns:
              - {byte: 0xfe, at: 16M, size: 256k}
              - {byte: 0x64, at: 32736k, size: 64k}
    """

    NAME = "write"
    MUTATORS = ()
    EFFECTS_KEY = "patterns"
    REPORT = "wrote"
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["patterns"], **IO_TARGET, patterns=document(PATTERNS, "ranges to write and their content, in this order")
    )

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        for pattern in self.patterns:
            byte = DEFAULT_BYTE if pattern.byte is None else pattern.byte
            self.target.record_write(disks, vm, pattern.range, byte, succeeded=succeeded)
        if succeeded and self.target.image:
            self.target.record_flush(disks, vm)
