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
    NODE_OR_DRIVE,
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
ASSERTIONS = frozenset({*STATUS, "dirty"})
INTEGER = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "object"}]}
BOOLEAN_OR_MATCHER = {"anyOf": [BOOLEAN, {"type": "object"}]}
HUGE_RANGE: JsonObject = {"at": 0, "size": 1 << 60}


def _mutate_dirty(verb: str, argument: Node) -> Iterator[Mutation]:
    """Drop one range, which the others must not cover; replace an empty list by a range larger than any image."""
    dirty = argument.get("dirty") if isinstance(argument, MappingNode) else None
    if isinstance(dirty, SequenceNode) and dirty.items:
        for item, others in drop_each_item(dirty):
            yield Mutation(item.span, {verb: replace_key(argument, "dirty", others)})
    elif dirty is not None:
        yield Mutation(dirty.span, {verb: replace_key(argument, "dirty", from_json([HUGE_RANGE], dirty.span))})


def _mutate_exists(verb: str, argument: Node) -> Iterator[Mutation]:
    """Negate `exists` where it is the only assertion: any other assertion implies that the bitmap exists."""
    assert isinstance(argument, MappingNode)
    exists = argument.get("exists")
    if isinstance(exists, ScalarNode) and not {*STATUS, "dirty"} & set(argument.keys()):
        yield Mutation(exists.span, {verb: replace_key(argument, "exists", ScalarNode(exists.span, not exists.value))})


@dataclass(frozen=True)
class AssertBitmap(Verb):
    """Assert the status of a dirty bitmap of a drive or block node.

    At least one assertion is needed; values may be operators. `dirty` lists the ranges that must be dirty and asserts
    the `count` that follows from them at the bitmap's granularity. QMP reports how many bytes are dirty but not which,
    so the same number of dirty bytes elsewhere passes too. `exists: false` asserts that there is no such bitmap.

    .. code-block:: yaml

        - assert-bitmap: {node: drive0, name: bitmap0, count: 458752, busy: false, recording: true}
        - assert-bitmap: {node: drive0, name: bitmap0, dirty: [{at: 0, size: 512}, {at: 16M, size: 256k}]}
        - assert-bitmap: {node: drive0, name: bitmap1, exists: false}
    """

    NAME = "assert-bitmap"
    MUTATORS = (mutate_keys(*STATUS), _mutate_dirty, _mutate_exists)
    OPENS_FILES = False
    RESULT = "the bitmap's `BlockDirtyInfo`, null for `exists: false`"
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["node", "name"],
        node=NODE_OR_DRIVE,
        name=document(TEXT, "name of the bitmap"),
        count=document(INTEGER, "number of dirty bytes, a multiple of the granularity"),
        dirty=document(
            list_schema(object_schema(["at", "size"], **RANGE), at_least=0),
            "ranges that must be dirty; only their total is checked, as a count",
        ),
        granularity=document(INTEGER, "granularity in bytes"),
        busy=document(BOOLEAN_OR_MATCHER, "whether a job or an export is using the bitmap"),
        recording=document(BOOLEAN_OR_MATCHER, "whether new writes are recorded"),
        persistent=document(BOOLEAN_OR_MATCHER, "whether the bitmap is stored in the image when the image is closed"),
        inconsistent=document(
            BOOLEAN_OR_MATCHER, "whether the bitmap was not stored correctly and can only be removed"
        ),
        exists=document(BOOLEAN, "whether the bitmap exists"),
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
        assertions = [entry for entry in argument.entries if entry.key in ASSERTIONS]
        absent = exists is not None and to_json(exists) is False
        if absent and assertions:
            raise scenario_error(assertions[0].span, f"'{assertions[0].key}' of a bitmap that must not exist")
        if exists is None and not assertions:
            raise scenario_error(
                argument.span, "asserts nothing about the bitmap", f"add one of: {', '.join(STATUS)}, dirty, exists"
            )
        status = make_mapping(argument.span, tuple(entry for entry in assertions if entry.key != "dirty"))
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
        holder = await query_holder(machine, self.node)
        bitmap = _find_by_name(self.name, holder.bitmaps)
        if not self.exists:
            if bitmap is not None:
                raise StepFailed(
                    f"'{self.node}' has a bitmap '{self.name}'", wanted="none", found=describe_value(bitmap)
                )
            return None
        if bitmap is None:
            raise StepFailed(
                f"'{self.node}' has no bitmap '{self.name}'", hint=await self._find_elsewhere(machine, holder.bitmaps)
            )
        # QEMU omits `inconsistent` when it is false: `$absent` must see that, `inconsistent: false` must match.
        plain = isinstance(self.status.get("inconsistent"), ScalarNode)
        shown = {"inconsistent": False, **bitmap} if plain else bitmap
        require_match(self.status, shown, f"bitmap '{self.name}' of '{self.node}'")
        if self.dirty is not None:
            self._check_ranges(self.dirty, holder)
            self._check_dirty(self.dirty, bitmap)
        return bitmap

    async def _find_elsewhere(self, machine: Machine, here: list[JsonObject]) -> str:
        """Return a hint: during a job, a drive's id refers to the job's filter node, which has no bitmaps."""
        for node in await machine.query("query-named-block-nodes", flat=True):
            if _find_by_name(self.name, node.get("dirty-bitmaps", [])):
                return f"node '{node['node-name']}' has it; while a job runs, use the node name instead of the drive id"
        return f"bitmaps of this node: {', '.join(str(each['name']) for each in here if 'name' in each) or 'none'}"

    def _check_ranges(self, dirty: Sequence[Range], holder: BitmapHolder) -> None:
        """Refuse a range that no write can have made dirty."""
        for each in dirty:
            if holder.length is not None and each.at.bytes + each.size.bytes > holder.length:
                raise StepFailed(
                    f"the range {each.at.text}+{each.size.text} ends beyond '{self.node}'",
                    span=self.dirty_span,
                    wanted=f"a range within {holder.length} bytes",
                    found=str(each.at.bytes + each.size.bytes),
                )

    def _check_dirty(self, dirty: Sequence[Range], bitmap: JsonObject) -> None:
        granularity = bitmap["granularity"]
        assert isinstance(granularity, int)
        wanted = count_dirty_bytes(dirty, granularity)
        if bitmap["count"] != wanted:
            ranges = ", ".join(f"{each.at.text}+{each.size.text}" for each in dirty) or "nothing"
            raise StepFailed(
                f"bitmap '{self.name}' of '{self.node}' has {bitmap['count']} dirty bytes instead of {wanted}",
                span=self.dirty_span,
                wanted=f"{wanted} ({ranges} at a granularity of {granularity})",
                found=describe_value(bitmap["count"]),
                path="count",
                difference={"expected": wanted, "found": bitmap["count"]},
                details=(f"bitmap: {describe_value(bitmap)}",),
            )


def _find_by_name(name: str, bitmaps: list[JsonObject]) -> JsonObject | None:
    """Return the bitmap of this name, None if there is none; bitmaps of jobs have no name."""
    return next((each for each in bitmaps if each.get("name") == name), None)


def count_dirty_bytes(ranges: Sequence[Range], granularity: int) -> int:
    """Return the `count` of a bitmap after writes to these ranges."""
    chunks = 0
    counted_to = 0
    for each in sorted(ranges, key=lambda each: each.at.bytes):
        end = -(-(each.at.bytes + each.size.bytes) // granularity) if each.size.bytes else 0
        begin = max(counted_to, each.at.bytes // granularity)
        chunks += max(0, end - begin)
        counted_to = max(counted_to, end)
    return chunks * granularity


@dataclass(frozen=True)
class BitmapHolder:
    """A drive or node: its bitmaps, each a `BlockDirtyInfo`, and its length in bytes, None if it has no image."""

    bitmaps: list[JsonObject]
    length: int | None

    @classmethod
    def from_reply(cls, info: JsonObject) -> Self:
        """Read a `BlockDeviceInfo`. Source: QAPI, `query-block` and `query-named-block-nodes`."""
        image: Any = info.get("image", {})
        bitmaps: Any = info.get("dirty-bitmaps", [])
        return cls(bitmaps, image.get("virtual-size"))


async def query_holder(machine: Machine, node: str) -> BitmapHolder:
    """Return a drive or node with its bitmaps; drives are looked up before nodes, as in QEMU.

    :raise StepFailed: if no drive or node has this name.
    """
    devices = await machine.query("query-block")
    for device in devices:
        if node in (device["device"], device.get("qdev")):
            return BitmapHolder.from_reply(device.get("inserted", {}))
    nodes = await machine.query("query-named-block-nodes", flat=True)
    for each in nodes:
        if each["node-name"] == node:
            return BitmapHolder.from_reply(each)
    known = [*(device["device"] for device in devices), *(each["node-name"] for each in nodes)]
    named = [name for name in known if name and not name.startswith("#")]
    hint = did_you_mean(node, named, f"drives and nodes: {', '.join(named) or 'none'}")
    raise StepFailed(f"there is no drive or node '{node}'", hint=hint)
