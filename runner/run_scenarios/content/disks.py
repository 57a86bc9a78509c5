"""Follow the content of a case's disks, step by step.

Verbs record here what they did. Anything that the model cannot follow makes content unknown, never wrong.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from run_scenarios.content.block_graph import BY_HEADER, BlockGraph, BlockNode
from run_scenarios.content.cells import EMPTY, TRANSPARENT, UNKNOWN, ZERO, ZEROES, Cell, Layer, Value, unite
from run_scenarios.content.images import Images
from run_scenarios.content.range_map import RangeMap

DEFAULT_BYTE = 0xCD
"""The byte that qemu-io writes unless told otherwise."""


@dataclass(frozen=True)
class Job:
    """A block job that has not been seen to end.

    :param finish: applies what the job has done once it has completed; called with whether it was asked to complete.
    :param files: the files whose content moves when the job pivots.
    :param is_completing: whether it was asked to complete, so that it may have pivoted at any time since.
    """

    finish: Callable[[Disks, bool], None]
    files: tuple[str, ...] = ()
    is_completing: bool = False


class Disks:
    """The disks of a case: its image files, the nodes of its VMs, and their jobs.

    :ivar step: the step that is being recorded, as messages name it.
    :ivar remembered: contents by the names that `remember` gave them, each with its size.
    """

    def __init__(self) -> None:
        self.step = ""
        self.images = Images()
        self.remembered: dict[str, tuple[Layer, int]] = {}
        self._graphs: dict[str, BlockGraph] = {}
        self._jobs: dict[tuple[str, str], Job] = {}

    def copy(self) -> Disks:
        """Return a copy that changes on its own."""
        copied = Disks()
        copied.step, copied.images, copied.remembered = self.step, self.images.copy(), dict(self.remembered)
        copied._graphs = {name: graph.copy() for name, graph in self._graphs.items()}
        copied._jobs = dict(self._jobs)
        return copied

    def graph(self, vm: str) -> BlockGraph:
        """Return the nodes of a VM; a VM that was never recorded has none."""
        return self._graphs.setdefault(vm, BlockGraph())

    def read(self, file: str) -> Layer:
        """Return the content of an image file with its backing chain."""
        return self.images.read(file)

    def read_device(self, vm: str, device: str) -> tuple[Layer, int | None]:
        """Return the content and the size of a drive or node of a VM."""
        graph = self.graph(vm)
        node = graph.find(device)
        if node.file is None or node.file in graph.bypassed or self._is_pivoting(vm, node.file):
            return RangeMap.filled(UNKNOWN), None
        return self.read_node(graph, node), self.images.get(node.file).size

    def read_disk(self, vm: str, name: str) -> tuple[Layer, int | None]:
        """Return the content and the size of a drive, a node, or, if a VM has neither of this name, a file."""
        if self.graph(vm).find_key(name) is not None:
            return self.read_device(vm, name)
        return self.read(name), self.images.get(name).size

    def read_node(self, graph: BlockGraph, node: BlockNode) -> Layer:
        """Return the content of a node with the backing nodes that it has in this VM."""
        if node.file is None or not self._matches_format(node):
            return RangeMap.filled(UNKNOWN)
        if node.backing == BY_HEADER:
            return self.read(node.file)
        below = RangeMap.filled(ZEROES)
        if node.backing is not None:
            lower = graph.nodes.get(node.backing, BlockNode(None))
            below = self.read_node(graph, lower)
            below = self.images.extend_with_zeroes(lower.file, below) if lower.file else below
        return self.images.look_through(node.file, below)

    # Image files, which no VM has open.

    def write_file(self, file: str, format_: str, start: int, size: int, byte: int, *, succeeded: bool) -> None:
        """Record a write to a file with qemu-io, which flushes when it exits."""
        self._write(file, format_, start, size, byte, succeeded=succeeded)

    def discard_file(self, file: str, format_: str, start: int, size: int) -> None:
        """Record a discard on a file with qemu-io."""
        self._discard(file, format_, start, size)

    def flush_file(self, file: str) -> None:
        """Record that everything written to a file is on disk."""
        self.images.change_all(file, Cell.flush)

    def convert_file(self, source: tuple[str, str], target: tuple[str, str]) -> None:
        """Record a copy of an image to a new image, each given by its name and its format."""
        size = self.images.get(source[0]).size
        content = self.read(source[0])
        if not self._matches_format(BlockNode(*source)):
            content, size = RangeMap.filled(UNKNOWN), None
        self.images.create(*target, size)
        self.images.copy_content(target[0], content, size, completed=True)
        self.flush_file(target[0])

    def commit_file(self, file: str, base: str | None, *, succeeded: bool) -> None:
        """Record a commit of an image to its backing file or to `base`; the image may be emptied."""
        base = base or self.images.get(file).backing
        if base is None:
            self.images.forget(file)
            return
        size = self.images.get(file).size
        chain = self.images.list_chain(file)
        layers: Layer = RangeMap.filled(UNKNOWN)
        if base in chain:
            layers = RangeMap.filled(EMPTY)
            for name in reversed(chain[: chain.index(base)]):
                layers = self.images.extend_with_zeroes(name, self.images.look_through(name, layers))
        self.images.commit_layers(base, layers, size, completed=succeeded)
        emptied = frozenset({TRANSPARENT})
        self.images.change_all(file, lambda cell: cell.write(emptied, succeeded=False))
        for each in (file, base):
            self.flush_file(each)

    def forget_files(self, words: Iterable[str]) -> None:
        """Take every file that a command line mentions as unknown."""
        for name in self._find_mentioned(words):
            self.images.forget(name)

    # VMs.

    def launch(
        self, vm: str, drives: Iterable[Mapping[str, Any]], nodes: Iterable[Mapping[str, Any]], other: Iterable[str]
    ) -> None:
        """Record the start of a VM with these drives and nodes; files that other arguments mention become unknown."""
        graph = self._graphs[vm] = BlockGraph()
        for node in nodes:
            graph.add_node(node)
        for drive in drives:
            below = self.images.list_chain(str(drive["file"]))[1:]
            graph.add_drive(drive, [(name, self.images.get(name).format) for name in below])
        self.bypass_files(vm, other)

    def end(self, vm: str, *, cleanly: bool) -> None:
        """Record that a VM has ended: cleanly, with all its images flushed, or without what it held in memory."""
        graph = self._graphs.pop(vm, BlockGraph())
        unflushed = {node.file for node in graph.nodes.values() if not node.can_flush}
        for file in graph.touched:
            if not cleanly:
                self.images.change_all(file, Cell.lose_cache)
            elif file not in unflushed:
                self.images.change_all(file, Cell.flush)
        self._jobs = {key: job for key, job in self._jobs.items() if key[0] != vm}

    def write(self, vm: str, device: str, start: int, size: int, byte: int, *, succeeded: bool) -> None:
        """Record a write to a drive or node of a VM."""
        node = self._find_written(vm, device)
        if node and node.file is not None:
            self._write(node.file, node.format, start, size, byte, succeeded=succeeded)
            self._touch_job_targets(vm, node.file, start, size)

    def discard(self, vm: str, device: str, start: int, size: int) -> None:
        """Record a discard on a drive or node of a VM."""
        node = self._find_written(vm, device)
        if node and node.file is not None:
            self._discard(node.file, node.format, start, size)
            self._touch_job_targets(vm, node.file, start, size)

    def flush(self, vm: str, device: str) -> None:
        """Record an acknowledged flush of a drive or node of a VM."""
        node = self.graph(vm).find(device)
        if node.file is not None and node.can_flush and self._matches_format(node):
            self.images.change_all(node.file, Cell.flush)

    def forget_device(self, vm: str, device: str) -> None:
        """Take a drive or node of a VM as unknown."""
        node = self._find_written(vm, device)
        if node and node.file is not None:
            self.images.forget(node.file)

    def forget_vm(self, vm: str) -> None:
        """Take every image that a VM has opened as unknown, for as long as it may write to it."""
        graph = self.graph(vm)
        for file in graph.touched:
            graph.bypassed |= set(self.images.list_chain(file))
        self.apply_bypasses(vm)

    def bypass_files(self, vm: str, words: Iterable[str]) -> None:
        """Take the files as unknown, with their backing chains, that options of a VM mention."""
        graph = self.graph(vm)
        for name in self._find_mentioned(words):
            graph.touched |= set(self.images.list_chain(name))
            graph.bypassed |= set(self.images.list_chain(name))
        self.apply_bypasses(vm)

    def apply_bypasses(self, vm: str) -> None:
        """Take the files as unknown that the VM writes to in ways that the model does not follow."""
        for file in self.graph(vm).bypassed:
            self.images.forget(file, forever=True)

    # Jobs.

    def start_job(self, vm: str, job_id: str, job: Job) -> None:
        """Record a job that has begun."""
        self._jobs[vm, job_id] = job

    def complete_job(self, vm: str, job_id: str) -> None:
        """Record that a job was asked to complete: from now on it may pivot."""
        job = self._jobs.get((vm, job_id))
        if job:
            self._jobs[vm, job_id] = replace(job, is_completing=True)

    def end_job(self, vm: str, job_id: str, *, completed: bool) -> None:
        """Record that a job has ended; unless it completed, its target may hold any part of what it copies."""
        job = self._jobs.pop((vm, job_id), None)
        if job and completed:
            job.finish(self, job.is_completing)

    def _find_mentioned(self, words: Iterable[str]) -> list[str]:
        line = "\n".join(words)
        return [name for name in self.images.names if posixpath.basename(name) in line]

    def _is_pivoting(self, vm: str, file: str) -> bool:
        jobs = [job for (owner, _), job in self._jobs.items() if owner == vm]
        return any(job.is_completing and file in job.files for job in jobs)

    def _touch_job_targets(self, vm: str, file: str, start: int, size: int) -> None:
        """A job that copies from a file may copy a write to it at any time, and a job that pivots may redirect it."""
        for (owner, _), job in self._jobs.items():
            if owner == vm and file in job.files:
                others = job.files if job.is_completing else [each for each in job.files if each != file]
                for other in others:
                    self.images.change(other, start, start + size, lambda cell: UNKNOWN)

    def _find_written(self, vm: str, device: str) -> BlockNode | None:
        """Return a node that was written to; if it is not known, the write may have gone anywhere."""
        graph = self.graph(vm)
        if graph.find_key(device) is None:
            self.forget_vm(vm)
            return None
        return graph.find(device)

    def _write(self, file: str, format_: str, start: int, size: int, byte: int, *, succeeded: bool) -> None:
        if not self._is_usable(file, format_):
            return
        values = frozenset({Value(byte, self.step)})
        self.images.change(file, start, start + size, lambda cell: cell.write(values, succeeded=succeeded))

    def _discard(self, file: str, format_: str, start: int, size: int) -> None:
        if not self._is_usable(file, format_):
            return
        gone = frozenset({ZERO, TRANSPARENT})
        self.images.change(file, start, start + size, lambda cell: Cell(unite(cell.now, gone), unite(cell.after, gone)))

    def _is_usable(self, file: str, format_: str) -> bool:
        """Tell whether an image is opened in its own format; in another one, a write can change any of its content."""
        matches = self._matches_format(BlockNode(file, format_))
        if not matches:
            self.images.forget(file)
        return matches

    def _matches_format(self, node: BlockNode) -> bool:
        actual = self.images.get(node.file).format if node.file else ""
        return (node.format or "raw") == actual
