"""Apply QMP commands that change disks, or the nodes that lead to them, to the content model."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from run_scenarios.content.block_graph import BY_HEADER, BlockGraph, BlockNode
from run_scenarios.content.cells import EMPTY, ZEROES, Cell, Layer
from run_scenarios.content.disks import Disks, Job
from run_scenarios.content.range_map import RangeMap

Arguments = Mapping[str, Any]
HARMLESS = re.compile(
    r"""query-.*|qom-(get|list).*|qmp_capabilities|block-dirty-bitmap-.*|nbd-server-(start|stop|remove)|cont|stop"""
    r"""|job-(pause|resume|finalize|dismiss|cancel)|block-job-(pause|resume|finalize|dismiss|cancel|set-speed|change)"""
    r"""|blockdev-snapshot-internal-sync|blockdev-snapshot-delete-internal-sync|block-export-del|quit|device_(add|del)"""
    r"""|block_set_io_throttle|block-set-write-threshold|object-(add|del)|system_powerdown|getfd|closefd|add-fd"""
    r"""|remove-fd|block-latency-histogram-set|blockdev-set-active|x-debug-.*|trace-event-.*|chardev-.*|screendump"""
    r"""|abort|netdev_.*|set_link|migrate-(set|incoming|continue|recover|pause).*|migrate_(cancel|set).*"""
)
"""Commands that change neither the content of a disk nor the nodes below a drive."""


def apply_command(disks: Disks, vm: str, name: str, arguments: Arguments, *, succeeded: bool) -> None:
    """Record a QMP command; one that is not known may have changed any disk of the VM."""
    apply = COMMANDS.get(name)
    if HARMLESS.fullmatch(name):
        return
    if not succeeded:
        _apply_failure(disks, vm, name, arguments)
    elif apply:
        apply(disks, vm, arguments)
        disks.apply_bypasses(vm)
    else:
        disks.bypass_files(vm, [str(arguments)])
        disks.forget_vm(vm)


def _apply_failure(disks: Disks, vm: str, name: str, arguments: Arguments) -> None:
    """A command that fails changes no nodes, but may have created its target, or resized half way."""
    if name == "block_resize":
        disks.forget_device(vm, _device(arguments))
    for action in arguments.get("actions", [{"data": arguments}]):
        data = action.get("data", {})
        for key in ("target", "snapshot-file"):
            if isinstance(data.get(key), str) and data.get("mode") != "existing":
                disks.images.forget(data[key])


def _device(arguments: Arguments) -> str:
    return str(arguments.get("device") or arguments.get("node-name") or arguments.get("id") or "")


def _job_id(arguments: Arguments) -> str:
    return str(arguments.get("job-id") or arguments.get("device") or "")


def _apply_transaction(disks: Disks, vm: str, arguments: Arguments) -> None:
    for action in arguments["actions"]:
        apply_command(disks, vm, action["type"], action.get("data", {}), succeeded=True)


def _add_node(disks: Disks, vm: str, arguments: Arguments) -> None:
    disks.graph(vm).add_node(arguments)


def _delete_node(disks: Disks, vm: str, arguments: Arguments) -> None:
    node = disks.graph(vm).nodes.pop(arguments["node-name"], None)
    if node and node.file and node.can_flush:
        # Closing a node flushes it.
        disks.images.change_all(node.file, Cell.flush)


def _reopen_nodes(disks: Disks, vm: str, arguments: Arguments) -> None:
    for options in arguments["options"]:
        disks.graph(vm).add_node(options)


def _resize(disks: Disks, vm: str, arguments: Arguments) -> None:
    node = disks.graph(vm).find(_device(arguments))
    if node.file is None:
        disks.forget_vm(vm)
    else:
        disks.images.resize(node.file, arguments["size"], succeeded=True)


def _take_snapshot(disks: Disks, vm: str, arguments: Arguments) -> None:
    graph = disks.graph(vm)
    old = graph.find_key(_device(arguments))
    if old is None or graph.nodes[old].file is None:
        disks.forget_vm(vm)
        return
    base = str(graph.nodes[old].file)
    file = _create_target(disks, arguments, "snapshot-file", disks.images.get(base).size, base)
    # Source: external_snapshot_prepare in blockdev.c, which flushes the node that becomes a backing node.
    disks.flush(vm, old)
    format_ = str(arguments.get("format", "qcow2"))
    new = graph.add(
        BlockNode(file, format_, old, graph.nodes[old].can_flush), str(arguments.get("snapshot-node-name", ""))
    )
    graph.replace_node(old, new)


def _put_overlay(disks: Disks, vm: str, arguments: Arguments) -> None:
    graph = disks.graph(vm)
    old, new = graph.find_key(arguments["node"]), graph.find_key(arguments["overlay"])
    if old is None or new is None:
        disks.forget_vm(vm)
        return
    disks.flush(vm, old)
    graph.nodes[new] = replace(graph.nodes[new], backing=old)
    graph.replace_node(old, new)


def _create_target(disks: Disks, arguments: Arguments, key: str, size: int | None, backing: str | None) -> str:
    """Create the image that a command with a file name creates unless `mode` is `existing`, and return its name."""
    file = posixpath.normpath(str(arguments[key]))
    if arguments.get("mode", "absolute-paths") != "existing":
        disks.images.create(file, str(arguments.get("format", "qcow2")), size)
        disks.images.set_backing(file, backing)
    return file


def _start_backup(disks: Disks, vm: str, arguments: Arguments) -> None:
    graph = disks.graph(vm)
    source = graph.find(_device(arguments))
    content, size = disks.read_device(vm, _device(arguments))
    target = _find_target(disks, vm, arguments, source, size)
    if target is None:
        return
    sync, layer = arguments["sync"], disks.images.get(source.file).layer if source.file else content

    def copy(disks: Disks, *, completed: bool) -> None:
        if sync == "full":
            disks.images.copy_content(target, content, size, completed=completed)
        elif sync == "top":
            disks.images.copy_layer(target, layer, content, size, completed=completed)
        else:
            disks.images.copy_content(target, content, size, completed=False)

    copy(disks, completed=False)
    disks.start_job(vm, _job_id(arguments), Job(lambda disks, _: copy(disks, completed=True)))


def _start_mirror(disks: Disks, vm: str, arguments: Arguments) -> None:
    graph = disks.graph(vm)
    device = _device(arguments)
    source_key = graph.find_key(device)
    source = graph.find(device)
    content, size = disks.read_device(vm, device)
    target = _find_target(disks, vm, arguments, source, size)
    if target is None or source_key is None or source.file is None or "replaces" in arguments:
        disks.forget_vm(vm)
        return
    is_full = arguments["sync"] == "full"
    target_key = graph.find_key(str(arguments["target"])) or graph.add(
        BlockNode(target, disks.images.get(target).format),
        str(arguments.get("node-name", "")),
    )
    disks.images.copy_content(target, content, size, completed=False)

    def finish(disks: Disks, pivots: bool) -> None:
        graph = disks.graph(vm)
        now = disks.read_node(graph, source)
        size = disks.images.get(str(source.file)).size
        disks.images.copy_content(target, now, size, completed=is_full and pivots)
        if pivots:
            graph.replace_node(source_key, target_key)

    disks.start_job(vm, _job_id(arguments), Job(finish, (source.file, target)))


def _find_target(disks: Disks, vm: str, arguments: Arguments, source: BlockNode, size: int | None) -> str | None:
    """Return the file that a job copies to, None if the model cannot follow it; a job may bypass the model then."""
    graph = disks.graph(vm)
    key = graph.find_key(str(arguments["target"]))
    if key is not None:
        node = graph.nodes[key]
        if node.file is None or (node.format or "raw") != disks.images.get(node.file).format:
            if node.file is not None:
                disks.images.forget(node.file, forever=True)
            return None
        return node.file
    if "format" not in arguments and arguments.get("mode") == "existing":
        disks.images.forget(arguments["target"], forever=True)
        return None
    backing = {"top": source.file and disks.images.get(source.file).backing, "none": source.file}
    arguments = {"format": source.format or "raw", **arguments}
    file = _create_target(disks, arguments, "target", size, backing.get(arguments["sync"]))
    graph.touched.add(file)
    return file


def _start_commit(disks: Disks, vm: str, arguments: Arguments) -> None:
    graph = disks.graph(vm)
    root = graph.find_key(_device(arguments))
    chain = [] if root is None else _list_layers(disks, graph, root)
    names = [file for file, _ in chain]
    top = _find_layer(graph, arguments, "top", names[0] if names else None)
    base = _find_layer(graph, arguments, "base", names[-1] if names else None)
    if root is None or top not in names or base not in names or names.index(top) >= names.index(base):
        disks.forget_vm(vm)
        return
    position, below = names.index(top), names.index(base)
    top_key, base_key = chain[position][1], chain[below][1]
    size = disks.images.get(top).size
    disks.images.commit_layers(base, _read_layers(disks, names[position:below], is_whole=False), size, completed=False)
    is_active = position == 0

    def finish(disks: Disks, pivots: bool) -> None:
        graph = disks.graph(vm)
        done = pivots or not is_active
        layers = _read_layers(disks, names[position:below], is_whole=False)
        disks.images.commit_layers(base, layers, disks.images.get(top).size, completed=done)
        if not done:
            return
        format_ = disks.images.get(base).format
        key = base_key or graph.add(BlockNode(base, format_))
        if is_active:
            graph.replace_node(root, key)
            return
        disks.images.set_backing(names[position - 1], base)
        above = chain[position - 1][1]
        if above and graph.nodes[above].backing == top_key:
            graph.nodes[above] = replace(graph.nodes[above], backing=key)

    disks.start_job(vm, _job_id(arguments), Job(finish, (top, base) if is_active else ()))


def _start_stream(disks: Disks, vm: str, arguments: Arguments) -> None:
    graph = disks.graph(vm)
    root = graph.find_key(_device(arguments))
    chain = [] if root is None else _list_layers(disks, graph, root)
    names = [file for file, _ in chain]
    bottom = arguments.get("bottom")
    base = _find_layer(graph, arguments, "base", None)
    if bottom is not None:
        last = graph.find(bottom).file
        base = names[names.index(last) + 1] if last in names and last != names[-1] else None if last in names else ""
    if root is None or not names or (base is not None and base not in names[1:]):
        disks.forget_vm(vm)
        return
    below = _read_layers(disks, names[1:])
    until = None if base is None else _read_layers(disks, names[1 : names.index(base)], is_whole=False)
    disks.images.pull_backing(names[0], below, until=until, completed=False)
    base_key = chain[names.index(base)][1] if base is not None else None

    def finish(disks: Disks, pivots: bool) -> None:
        graph = disks.graph(vm)
        disks.images.pull_backing(names[0], below, until=until, completed=True)
        disks.images.set_backing(names[0], base)
        if root in graph.nodes:
            graph.nodes[root] = replace(graph.nodes[root], backing=base_key or (None if base is None else BY_HEADER))

    disks.start_job(vm, _job_id(arguments), Job(finish))


def _list_layers(disks: Disks, graph: BlockGraph, root: str) -> list[tuple[str, str | None]]:
    """Return the files of a chain from the top down, each with the key of its node, None if it has none."""
    layers: list[tuple[str, str | None]] = []
    for key, node in graph.list_chain(root):
        if node.file is None:
            return []
        layers.append((node.file, key))
        if node.backing == BY_HEADER:
            below = [name for name in disks.images.list_chain(node.file)[1:] if name not in dict(layers)]
            layers += [(name, None) for name in below]
    return layers


def _find_layer(graph: BlockGraph, arguments: Arguments, role: str, default: str | None) -> str | None:
    """Return the file of a layer that is given by its file name or its node name; "" if that is unknown."""
    if f"{role}-node" in arguments:
        return graph.find(arguments[f"{role}-node"]).file or ""
    return posixpath.normpath(arguments[role]) if role in arguments else default


def _read_layers(disks: Disks, names: list[str], *, is_whole: bool = True) -> Layer:
    """Return the content of stacked files; unless `is_whole`, the lowest one lets through what is below it."""
    content = RangeMap.filled(ZEROES if is_whole else EMPTY)
    for name in reversed(names):
        content = disks.images.extend_with_zeroes(name, disks.images.look_through(name, content))
    return content


def _create_blockdev(disks: Disks, vm: str, arguments: Arguments) -> None:
    options = arguments["options"]
    graph = disks.graph(vm)
    driver, size = options["driver"], options.get("size")
    file = options.get("filename") or graph.find(str(options.get("file"))).file
    if file is None or {"data-file", "header"} & options.keys():
        disks.forget_vm(vm)
        return
    disks.images.forget(file)

    def finish(disks: Disks, pivots: bool) -> None:
        disks.images.create(file, "raw" if driver == "file" else driver, size, options.get("backing-file"))

    disks.start_job(vm, _job_id(arguments), Job(finish))


def _change_backing_file(disks: Disks, vm: str, arguments: Arguments) -> None:
    node = disks.graph(vm).find(arguments["image-node-name"])
    if node.file is None:
        disks.forget_vm(vm)
    else:
        disks.images.set_backing(node.file, arguments["backing-file"] or None)


def _export(disks: Disks, vm: str, arguments: Arguments) -> None:
    """A client of a writable export may write to it at any time."""
    if arguments.get("writable"):
        device = arguments.get("node-name") or arguments.get("device") or ""
        node = disks.graph(vm).find(device)
        if node.file is None:
            disks.forget_vm(vm)
        else:
            disks.images.forget(node.file, forever=True)


def _complete_job(disks: Disks, vm: str, arguments: Arguments) -> None:
    disks.complete_job(vm, str(arguments.get("id") or arguments.get("device")))


COMMANDS: dict[str, Callable[[Disks, str, Arguments], None]] = {
    "transaction": _apply_transaction,
    "blockdev-add": _add_node,
    "blockdev-del": _delete_node,
    "blockdev-reopen": _reopen_nodes,
    "block_resize": _resize,
    "blockdev-snapshot-sync": _take_snapshot,
    "blockdev-snapshot": _put_overlay,
    "drive-backup": _start_backup,
    "blockdev-backup": _start_backup,
    "drive-mirror": _start_mirror,
    "blockdev-mirror": _start_mirror,
    "block-commit": _start_commit,
    "block-stream": _start_stream,
    "blockdev-create": _create_blockdev,
    "change-backing-file": _change_backing_file,
    "block-export-add": _export,
    "nbd-server-add": _export,
    "block-job-complete": _complete_job,
    "job-complete": _complete_job,
}
