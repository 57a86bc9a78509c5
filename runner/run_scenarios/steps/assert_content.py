"""The verb `assert-content`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.cells import Layer, Value
from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.errors import CommandFailed, StepFailed
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import TEXT, document, object_schema, parse_text
from run_scenarios.steps.mutations import replace_with_failure
from run_scenarios.steps.qemu_io_commands import (
    IO_TARGET,
    IoCommand,
    IoTarget,
    parse_target,
    run_io_commands,
)
from run_scenarios.steps.qemu_io_output import PATTERN_MISMATCH
from run_scenarios.steps.verb import Context, Verb

NOW = "now"
MAX_READ = 256 << 20
HEX_BYTE = re.compile(r"^[0-9a-f]+:\s+([0-9a-f]{2})\b", re.MULTILINE)
Known = tuple[int, int, Value]
"""The beginning and the end of a range, and the value of each of its bytes."""


@dataclass(frozen=True)
class AssertContent(Verb):
    """Read every byte whose value the runner knows, of a file or a device, and compare it.

    `is: now` compares with what the image itself must hold, by all steps so far; another name with what `remember` took
    note of. Bytes that may have several values, after a discard or a failed write for example, are not compared, and
    the step fails if none is left. The message names the first byte that differs, and the step that wrote it.

    .. code-block:: yaml

        - assert-content: {file: inc1.qcow2, is: before-backup}
        - assert-content: {device: drive0, is: now}
    """

    NAME = "assert-content"
    MUTATORS = (replace_with_failure,)
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["is"], **IO_TARGET, is_=document(TEXT, "`now`, or a name that `remember` gave")
    )

    target: IoTarget
    expected: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_target(argument), parse_text(argument.get("is")))

    @property
    def _name(self) -> str:
        return self.target.image.file if self.target.image else self.target.device

    async def run(self, context: Context) -> JsonValue:
        content, size = self._find_content(context)
        self._check_size(context, size)
        ranges = list(_list_known(content, size))
        if not ranges:
            raise StepFailed(f"nothing is known about the content of '{self._name}'", hint="this asserts nothing")
        try:
            await run_io_commands(context, self.target, [_make_read(*each) for each in ranges])
        except CommandFailed as failed:
            if PATTERN_MISMATCH not in str(failed.reply.get("output")):
                raise
            raise await self._explain(context, ranges) from None
        return None

    def _find_content(self, context: Context) -> tuple[Layer, int]:
        remembered = context.disks.remembered
        if self.expected in remembered:
            return remembered[self.expected]
        if self.expected != NOW:
            hint = did_you_mean(self.expected, (*remembered, NOW), f"remembered: {', '.join(remembered) or 'nothing'}")
            raise StepFailed(f"nothing has been remembered as '{self.expected}'", hint=hint)
        content, size = context.disks.read_disk(context.vm_name, self._name)
        return content, size or 0

    def _check_size(self, context: Context, size: int) -> None:
        actual = context.disks.read_disk(context.vm_name, self._name)[1]
        if actual is not None and actual != size:
            raise StepFailed(f"'{self._name}' has another size", wanted=str(size), found=str(actual))

    async def _explain(self, context: Context, ranges: list[Known]) -> StepFailed:
        """Return the error for the first byte that differs."""
        for start, end, value in ranges:
            if not await self._differs(context, start, end, value):
                continue
            first, last = start, end
            while last - first > 1:
                middle = (first + last) // 2
                if await self._differs(context, first, middle, value):
                    last = middle
                else:
                    first = middle
            found = HEX_BYTE.search(await run_io_commands(context, self.target, [IoCommand(f"read -v {first} 1")]))
            origin = f"written by {value.step}" if value.step else "never written"
            return StepFailed(
                f"'{self._name}' differs at offset {first}, in the range {start} to {end}: {origin}",
                wanted=f"0x{value.byte:02x}",
                found=f"0x{found[1]}" if found else "",
            )
        return StepFailed(f"'{self._name}' differed, and no longer does", hint="something else writes to it")

    async def _differs(self, context: Context, start: int, end: int, value: Value) -> bool:
        try:
            await run_io_commands(context, self.target, [_make_read(start, end, value)])
        except CommandFailed as failed:
            if PATTERN_MISMATCH not in str(failed.reply.get("output")):
                raise
            return True
        return False


def _list_known(content: Layer, size: int) -> Iterator[Known]:
    for start, end, cell in content.iterate(0, size):
        if cell.now is not None and len(cell.now) == 1:
            (value,) = cell.now
            for at in range(start, end, MAX_READ):
                yield at, min(end, at + MAX_READ), value


def _make_read(start: int, end: int, value: Value) -> IoCommand:
    size = end - start
    return IoCommand(f"read -P0x{value.byte:02x} {start} {size}", f"read {size}/{size} bytes at offset {start}\n")
