"""The block nodes of one VM, and the image file that each node or drive reads and writes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

FORMATS = ("luks", "parallels", "qcow", "qcow2", "qed", "raw", "vdi", "vhdx", "vmdk", "vpc")
FILES = ("file", "host_device")
FILTERS = {
    "blkdebug": "image",
    "blklogwrites": "file",
    "compress": "file",
    "copy-before-write": "file",
    "copy-on-read": "file",
    "preallocate": "file",
    "throttle": "file",
}
"""Drivers that show the content of one child unchanged, and the key of that child."""
BY_HEADER = "\0"
"""The backing node of an image for which nobody chose one: QEMU opens the file that the image refers to."""


@dataclass(frozen=True)
class BlockNode:
    """A block node.

    :param file: the name of the file with its content, None if the model cannot follow the node.
    :param format: the format that the file is opened as, "" for the bare file.
    :param backing: the key of the backing node, `BY_HEADER`, or None for no backing node.
    :param can_flush: whether a flush reaches the disk; not with `cache.no-flush`.
    """

    file: str | None
    format: str = ""
    backing: str | None = BY_HEADER
    can_flush: bool = True


UNKNOWN_NODE = BlockNode(None)


@dataclass
class BlockGraph:
    """The nodes of a VM by name, or by a key of ours for nodes without a name; and the root nodes of its drives.

    :param touched: every file that the VM has opened.
    :param bypassed: files that something writes to without going through a node that the model follows.
    """

    nodes: dict[str, BlockNode] = field(default_factory=dict)
    drives: dict[str, str] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    bypassed: set[str] = field(default_factory=set)
    _unnamed: int = 0

    def copy(self) -> BlockGraph:
        """Return a copy that changes on its own."""
        return BlockGraph(
            dict(self.nodes), dict(self.drives), set(self.touched), set(self.bypassed), _unnamed=self._unnamed
        )

    def find_key(self, device: str) -> str | None:
        """Return the key of the node that a drive id or node name refers to, None if there is none."""
        return self.drives.get(device) or (device if device in self.nodes else None)

    def find(self, device: str) -> BlockNode:
        """Return the node that a drive id or node name refers to."""
        return self.nodes.get(self.find_key(device) or "", UNKNOWN_NODE)

    def add(self, node: BlockNode, name: str = "") -> str:
        """Add a node, and return its key."""
        self._unnamed += not name
        key = name or f"\0{self._unnamed}"
        self.nodes[key] = node
        if node.file is not None:
            self.touched.add(node.file)
        return key

    def add_drive(self, options: Mapping[str, Any], backing_chain: Sequence[tuple[str, str]] = ()) -> None:
        """Add a drive of `-drive`, given its options.

        :param backing_chain: the name and the format of each file below the image; `backing.node-name` names its node.
        """
        rest = {key: value for key, value in options.items() if key not in ("id", "file", "format", "node-name")}
        names = [str(rest.pop(f"{'backing.' * depth}node-name", "")) for depth in range(1, len(backing_chain) + 1)]
        file = posixpath.normpath(str(options["file"]))
        backing: str | None = BY_HEADER
        for depth in reversed(range(len(names))):
            if any(names):
                backing = self.add(BlockNode(*backing_chain[depth], backing), names[depth])
        can_flush = rest.get("cache") != "unsafe" and rest.get("cache.no-flush") not in (True, "on")
        node = BlockNode(file, str(options["format"]), backing, can_flush)
        followed = {"cache", "discard", "aio", "detect-zeroes", "read-only", "cache.direct", "cache.no-flush"}
        followed |= {"rerror", "werror", "auto-read-only", "lazy-refcounts", "if", "locking", "l2-cache-size"}
        if not rest.keys() <= followed:
            self.touched.add(file)
            self.bypassed.add(file)
            node = UNKNOWN_NODE
        self.drives[str(options["id"])] = self.add(node, str(options.get("node-name", "")))

    def add_node(self, options: Mapping[str, Any]) -> str:
        """Add a node of `blockdev-add` with the nodes in its options, and return its key."""
        return self.add(self._make_node(options), str(options.get("node-name", "")))

    def replace_node(self, old: str, new: str) -> None:
        """Let everything that uses one node use another, as after a snapshot or a job that pivots."""
        for drive, key in self.drives.items():
            if key == old:
                self.drives[drive] = new
        for key, node in self.nodes.items():
            if node.backing == old and key != new:
                self.nodes[key] = replace(node, backing=new)

    def list_chain(self, key: str | None) -> Iterator[tuple[str, BlockNode]]:
        """Yield a node and the backing nodes below it that have a key."""
        seen: set[str] = set()
        while key is not None and key in self.nodes and key not in seen:
            seen.add(key)
            yield key, self.nodes[key]
            key = self.nodes[key].backing

    def _make_node(self, options: Mapping[str, Any]) -> BlockNode:
        node = self._make_known_node(options)
        if node.file is None and options.get("read-only") is not True:
            self._bypass(options)
        return node

    def _make_known_node(self, options: Mapping[str, Any]) -> BlockNode:
        driver = str(options.get("driver", ""))
        can_flush = not _has_no_flush(options)
        if driver in FILES:
            return BlockNode(posixpath.normpath(str(options.get("filename", ""))), "", None, can_flush)
        if driver in FILTERS:
            if driver == "copy-before-write":
                self._bypass(options.get("target"))
            child = self._find_child(options.get(FILTERS[driver]))
            return replace(child, can_flush=child.can_flush and can_flush)
        if driver in FORMATS and not {"offset", "size", "data-file", "header"} & options.keys():
            child = self._find_child(options.get("file"))
            if child.format:
                return UNKNOWN_NODE
            return BlockNode(child.file, driver, self._add_backing(options), child.can_flush and can_flush)
        return UNKNOWN_NODE

    def _find_child(self, child: object) -> BlockNode:
        if isinstance(child, str):
            return self.find(child)
        return self.nodes[self.add_node(child)] if isinstance(child, dict) else UNKNOWN_NODE

    def _add_backing(self, options: Mapping[str, Any]) -> str | None:
        backing = options.get("backing", BY_HEADER)
        return self.add_node(backing) if isinstance(backing, dict) else backing

    def _bypass(self, value: object) -> None:
        """Take note of every file that a value mentions, by name or by node."""
        if isinstance(value, str):
            file = self.find(value).file or posixpath.normpath(value)
            self.touched.add(file)
            self.bypassed.add(file)
        for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            self._bypass(child)


def _has_no_flush(options: Mapping[str, Any]) -> bool:
    cache = options.get("cache")
    return isinstance(cache, dict) and cache.get("no-flush") is True
