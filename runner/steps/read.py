"""The verb `read`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from runner.nodes import Expression, Mapping, Node, Scalar, Sequence, replaced
from runner.steps.asserted import Broken, computed
from runner.steps.disk import DISK, IO_FAILURE, PATTERNS, PatternVerb
from runner.steps.shapes import described, record


def _another_byte(verb: str, argument: Node) -> Iterator[Broken]:
    patterns = argument.get("patterns") if isinstance(argument, Mapping) else None
    for index, pattern in enumerate(patterns if isinstance(patterns, Sequence) else ()):
        byte = pattern.get("byte") if isinstance(pattern, Mapping) else None
        if isinstance(byte, Scalar) and isinstance(byte.value, int):
            other: Node = Scalar(byte.span, 255 - byte.value)
        elif isinstance(byte, Expression):
            other = computed(byte, "255 - %s")
        else:
            continue
        yield Broken(byte.span, {verb: replaced(argument, ("patterns", index, "byte"), other)})


@dataclass(frozen=True)
class Read(PatternVerb):
    """Read ranges with qemu-io and check that each is filled with its byte.

    Like `write`, it works on `file` or on `device`. A pattern without `byte` is read and not checked.

    .. code-block:: yaml

        - read: {device: drive0, patterns: [{byte: 0x41, at: 0, size: 512}]}
        - read: {file: inc0.qcow2, patterns: [{byte: 0, at: 1M, size: 32k}]}
    """

    NAME = "read"
    ASSERTS = (_another_byte,)
    DONE = "read"
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = record(
        ["patterns"], **DISK, patterns=described(PATTERNS, "what must be found, in this order")
    )
