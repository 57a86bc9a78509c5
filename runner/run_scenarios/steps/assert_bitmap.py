"""The verb `assert-bitmap`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.errors import StepFailed, scenario_error
from run_scenarios.core.nodes import (
    JsonObject,
    JsonValue,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    from_json,
    make_mapping,
    to_json,
)
from run_scenarios.core.source import Span
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    TEXT,
    document,
    list_schema,
    object_schema,
    parse_matcher,
    parse_text,
)
from run_scenarios.steps.mutations import Mutation, drop_each_item, mutate_keys, replace_key
from run_scenarios.steps.qemu_io_commands import RANGE, Range, parse_range
from run_scenarios.steps.verb import Context, Verb, require_vm
from run_scenarios.syntax.matchers import describe_value, require_match

if TYPE_CHECKING:
    from run_scenarios.qemu.machine import Machine

STATUS = ("count", "granularity", "busy", "recording", "persistent", "inconsistent")
SAYS = frozenset({*STATUS, "dirty"})
INTEGER = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "object"}]}
BOOLEAN_OR_MATCHER = {"anyOf": [BOOLEAN, {"type": "object"}]}
MUCH: JsonObject = {"at": 0, "size": 1 << 60}


def _another_range(verb: str, argument: Node) -> Iterator[Mutation]:
    """Leave out one range, which the others must not cover; or name one that is larger than any image."""
    dirty = argument.get("dirty") if isinstance(argument, MappingNode) else None
    if isinstance(dirty, SequenceNode) and dirty.items:
        for item, others in drop_each_item(dirty):
            yield Mutation(item.span, {verb: replace_key(argument, "dirty", others)})
    elif dirty is not None:
        yield Mutation(dirty.span, {verb: replace_key(argument, "dirty", from_json([MUCH], dirty.span))})


def _exists(verb: str, argument: Node) -> Iterator[Mutation]:
    """Assert the opposite; what is said of a bitmap besides implies that it exists."""
    assert isinstance(argument, MappingNode)
    exists = argument.get("exists")
    if isinstance(exists, ScalarNode) and not {*STATUS, "dirty"} & set(argument.keys()):
        yield Mutation(exists.span, {verb: replace_key(argument, "exists", ScalarNode(exists.span, not exists.value))})


@dataclass(frozen=True)
class AssertBitmap(Verb):
    """Assert the status of a dirty bitmap, found by the id of its drive or the name of its node.

    Say at least one thing about it; values may be operators. `dirty` lists the ranges that must be dirty, and the
    count then follows from the bitmap's own granularity; QMP tells how much is dirty, not where, so an equal amount
    elsewhere passes. `exists: false` asserts that there is no such bitmap.

    .. code-block:: yaml

        - assert-bitmap: {node: drive0, name: bitmap0, count: 458752, busy: false, recording: true}
        - assert-bitmap: {node: drive0, name: bitmap0, dirty: [{at: 0, size: 512}, {at: 16M, size: 256k}]}
        - assert-bitmap: {node: drive0, name: bitmap1, exists: false}
    """

    NAME = "assert-bitmap"
    MUTATORS = (mutate_keys(*STATUS), _another_range, _exists)
    OPENS_FILES = False
    RESULT = "the bitmap's `BlockDirtyInfo`, null for `exists: false`"
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["node", "name"],
        node=document(TEXT, "the drive or node, by id or node name"),
        name=document(TEXT, "the bitmap's name"),
        count=document(INTEGER, "the dirty bytes, at the bitmap's granularity"),
        dirty=document(
            list_schema(object_schema(["at", "size"], **RANGE), at_least=0),
            "the ranges that must be dirty: what the count must be",
        ),
        granularity=document(INTEGER, "its granularity in bytes"),
        busy=document(BOOLEAN_OR_MATCHER, "whether a job or an export uses it"),
        recording=document(BOOLEAN_OR_MATCHER, "whether it records new writes"),
        persistent=document(BOOLEAN_OR_MATCHER, "whether it is stored in the image"),
        inconsistent=document(BOOLEAN_OR_MATCHER, "whether it was not stored properly, and is good for nothing"),
        exists=document(BOOLEAN, "whether there is such a bitmap"),
    )

    node: str
    name: str
    status: MappingNode
    dirty: tuple[Range, ...] | None
    dirty_span: Span
    exists: bool

    @classmethod
    def parse(cls, argument: Any) -> Self:
        dirty, exists = argument.get("dirty"), argument.get("exists")
        says = [entry for entry in argument.entries if entry.key in SAYS]
        absent = exists is not None and to_json(exists) is False
        if absent and says:
            raise scenario_error(says[0].span, f"'{says[0].key}' of a bitmap that must not exist")
        if exists is None and not says:
            raise scenario_error(
                argument.span, "says nothing about the bitmap", f"say one of: {', '.join(STATUS)}, dirty, exists"
            )
        status = make_mapping(argument.span, tuple(entry for entry in says if entry.key != "dirty"))
        parse_matcher(status)
        return cls(
            parse_text(argument.get("node")),
            parse_text(argument.get("name")),
            status,
            None if dirty is None else tuple(map(parse_range, dirty)),
            (dirty or argument).span,
            not absent,
        )

    async def run(self, context: Context) -> JsonValue:
        machine = require_vm(context)
        bitmaps = await bitmaps_of(machine, self.node)
        bitmap = _named(self.name, bitmaps)
        if not self.exists:
            if bitmap is not None:
                raise StepFailed(
                    f"'{self.node}' has a bitmap '{self.name}'", wanted="none", found=describe_value(bitmap)
                )
            return None
        if bitmap is None:
            raise StepFailed(
                f"'{self.node}' has no bitmap '{self.name}'", hint=await self._where_else(machine, bitmaps)
            )
        # QEMU leaves `inconsistent` out where it is false; `$absent` gets to see that, a plain value need not know.
        plain = isinstance(self.status.get("inconsistent"), ScalarNode)
        shown = {"inconsistent": False, **bitmap} if plain else bitmap
        require_match(self.status, shown, f"bitmap '{self.name}' of '{self.node}'")
        if self.dirty is not None:
            self._check_dirty(self.dirty, bitmap)
        return bitmap

    async def _where_else(self, machine: Machine, here: list[JsonObject]) -> str:
        """A job puts a filter on top of its drive, so the drive's id then leads to a node without the bitmap."""
        for node in await machine.query("query-named-block-nodes", flat=True):
            if _named(self.name, node.get("dirty-bitmaps", [])):
                return f"node '{node['node-name']}' has one; while a job runs, name the node and not its drive"
        return f"bitmaps there: {', '.join(str(each['name']) for each in here if 'name' in each) or 'none'}"

    def _check_dirty(self, dirty: Sequence[Range], bitmap: JsonObject) -> None:
        granularity = bitmap["granularity"]
        assert isinstance(granularity, int)
        wanted = dirty_bytes(dirty, granularity)
        if bitmap["count"] != wanted:
            ranges = ", ".join(f"{each.at.text}+{each.size.text}" for each in dirty) or "nothing"
            raise StepFailed(
                f"bitmap '{self.name}' of '{self.node}' has {bitmap['count']} dirty bytes instead of {wanted}",
                span=self.dirty_span,
                wanted=f"{wanted} ({ranges} at a granularity of {granularity})",
                found=describe_value(bitmap["count"]),
                path="count",
                details=(f"bitmap: {describe_value(bitmap)}",),
            )


def _named(name: str, bitmaps: list[JsonObject]) -> JsonObject | None:
    """Return the bitmap of this name; those that belong to a job have none."""
    return next((each for each in bitmaps if each.get("name") == name), None)


def dirty_bytes(ranges: Sequence[Range], granularity: int) -> int:
    """Return how many bytes of a bitmap are dirty once these ranges were written."""
    chunks = 0
    counted_to = 0
    for each in sorted(ranges, key=lambda each: each.at.bytes):
        end = -(-(each.at.bytes + each.size.bytes) // granularity) if each.size.bytes else 0
        begin = max(counted_to, each.at.bytes // granularity)
        chunks += max(0, end - begin)
        counted_to = max(counted_to, end)
    return chunks * granularity


async def bitmaps_of(machine: Machine, node: str) -> list[JsonObject]:
    """Return the bitmaps of a drive or node, each a `BlockDirtyInfo`.

    Source: QAPI, `query-block` and `query-named-block-nodes`; a name is looked up as QEMU does, drives first.

    :raise StepFailed: if there is neither such a drive nor such a node.
    """
    devices = await machine.query("query-block")
    for device in devices:
        if node in (device["device"], device.get("qdev")):
            bitmaps: list[JsonObject] = device.get("inserted", {}).get("dirty-bitmaps", [])
            return bitmaps
    nodes = await machine.query("query-named-block-nodes", flat=True)
    for each in nodes:
        if each["node-name"] == node:
            found: list[JsonObject] = each.get("dirty-bitmaps", [])
            return found
    known = [*(device["device"] for device in devices), *(each["node-name"] for each in nodes)]
    named = [name for name in known if name and not name.startswith("#")]
    hint = did_you_mean(node, named, f"there is: {', '.join(named) or 'none'}")
    raise StepFailed(f"there is no drive or node '{node}'", hint=hint)
