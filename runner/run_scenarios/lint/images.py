"""Rules about reading and writing images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from run_scenarios.core.nodes import MappingNode, Node, ScalarNode, SequenceNode
from run_scenarios.lint.context import Finding, LintContext
from run_scenarios.scenario.dry_run import VisitedStep

WRITING = frozenset({"discard", "flush", "write"})
ENDING = frozenset({"kill", "shutdown", "wait-exit"})


def read_unchecked(context: LintContext) -> Iterator[Finding]:
    """Yield each pattern of a `read` that names no byte, unless the read is expected to fail."""
    for step in context.steps:
        if step.verb.NAME != "read" or step.error is not None or not isinstance(step.argument, MappingNode):
            continue
        patterns = step.argument.get("patterns")
        for pattern in patterns if isinstance(patterns, SequenceNode) else ():
            if isinstance(pattern, MappingNode) and pattern.get("byte") is None:
                yield Finding(pattern.span, "this range is read, but its content is not checked", "add 'byte'")


def open_image_written(context: LintContext) -> Iterator[Finding]:
    """Yield each step that writes to a file which a VM has open."""
    for walk in context.walks if context.scenario else ():
        open_in: dict[str | None, set[PurePosixPath]] = {}
        for visited in walk:
            verb = visited.step.verb.NAME
            if verb == "launch" and visited.step.error is None:
                open_in[visited.vm] = set(_iterate_files(visited.argument))
            elif verb in ENDING or (verb in ("qmp", "hmp") and "quit" in _iterate_texts(visited.argument)):
                open_in.pop(visited.vm, None)
            elif verb in WRITING and visited.step.error is None:
                yield from _check_write(visited, open_in)


def _check_write(visited: VisitedStep, open_in: dict[str | None, set[PurePosixPath]]) -> Iterator[Finding]:
    node = visited.argument.get("file") if isinstance(visited.argument, MappingNode) else None
    if not isinstance(node, ScalarNode):
        return
    for vm, files in open_in.items():
        if PurePosixPath(str(node.value)) in files:
            message = f"VM '{vm}' has '{node.value}' open, and would not notice this"
            yield Finding(visited.locate(node.span), message, "name the drive with 'device', or write before 'launch'")


def _iterate_files(argument: Node) -> Iterator[PurePosixPath]:
    """Yield the files that a VM opens for writing: those of its drives and block nodes that are not read-only."""
    for key in ("drives", "blockdev"):
        items = argument.get(key) if isinstance(argument, MappingNode) else None
        for item in items if isinstance(items, SequenceNode) else ():
            if isinstance(item, MappingNode) and not _is_set(item, "read-only", "readonly", "snapshot"):
                yield from _iterate_file_names(item)


def _is_set(item: MappingNode, *keys: str) -> bool:
    nodes = [item.get(key) for key in keys]
    return any(isinstance(node, ScalarNode) and node.value in (True, "on") for node in nodes)


def _iterate_file_names(node: MappingNode) -> Iterator[PurePosixPath]:
    """Yield the file of a node; a backing file is opened read-only."""
    for entry in node:
        if entry.key in ("file", "filename") and isinstance(entry.value, ScalarNode):
            yield PurePosixPath(str(entry.value.value))
        elif entry.key in ("file", "image") and isinstance(entry.value, MappingNode):
            yield from _iterate_file_names(entry.value)


def _iterate_texts(node: Node) -> list[str]:
    if isinstance(node, ScalarNode):
        return [str(node.value)]
    execute = node.get("execute") if isinstance(node, MappingNode) else None
    return [str(execute.value)] if isinstance(execute, ScalarNode) else []
