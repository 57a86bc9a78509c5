"""The verb `read`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from run_scenarios.core.nodes import ExpressionNode, MappingNode, Node, ScalarNode, SequenceNode, replace_at_path
from run_scenarios.steps.argument_types import document, object_schema
from run_scenarios.steps.mutations import Mutation, wrap_expression
from run_scenarios.steps.qemu_io_commands import IO_FAILURE, IO_TARGET, PATTERNS, PatternVerb


def _mutate_byte(verb: str, argument: Node) -> Iterator[Mutation]:
    patterns = argument.get("patterns") if isinstance(argument, MappingNode) else None
    for index, pattern in enumerate(patterns if isinstance(patterns, SequenceNode) else ()):
        byte = pattern.get("byte") if isinstance(pattern, MappingNode) else None
        if isinstance(byte, ScalarNode) and isinstance(byte.value, int):
            other: Node = ScalarNode(byte.span, 255 - byte.value)
        elif isinstance(byte, ExpressionNode):
            other = wrap_expression(byte, "255 - %s")
        else:
            continue
        yield Mutation(byte.span, {verb: replace_at_path(argument, ("patterns", index, "byte"), other)})


@dataclass(frozen=True)
class Read(PatternVerb):
    """Read ranges of `file` or `device` with qemu-io and check that each is filled with its byte.

    A pattern without `byte` is read, but its content is not checked.

    .. code-block:: yaml

        - read: {device: drive0, patterns: [{byte: 0x41, at: 0, size: 512}]}
        - read: {file: inc0.qcow2, patterns: [{byte: 0, at: 1M, size: 32k}]}
    """

    NAME = "read"
    MUTATORS = (_mutate_byte,)
    REPORT = "read"
    FAILS_WITH = IO_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["patterns"],
        **IO_TARGET,
        patterns=document(PATTERNS, "ranges to read and their expected content, in this order"),
    )
