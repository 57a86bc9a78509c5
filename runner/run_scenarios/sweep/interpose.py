"""Put a node of the sweep's own between the format and the file of every image that a case opens for writing.

The scenario's text does not change: the arguments of `launch`, `blockdev-add` and `blockdev-reopen` do, as they run.
File names in other commands, the backing files that an image refers to, and qemu-img and qemu-io stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from run_scenarios.content.block_graph import FILES, FILTERS, FORMATS
from run_scenarios.core.nodes import JsonObject, JsonValue, Node, from_json, to_json

WrapFile = Callable[[JsonObject], JsonObject]
"""Returns the node to open in place of a file node, which becomes its child: `{driver: file, filename: …}`.

The scenario may refer to the file node by name: that name is given to the returned node.
"""
BACKEND_OPTIONS = ("aio", "locking", "pr-manager", "x-check-cache-dropped")
"""Options of `-drive` that belong to the file node; the other ones concern the whole drive."""
READ_ONLY = (True, "on", "true")


def interpose(verb: str, argument: Node, wrap: WrapFile) -> Node:
    """Return the argument of a step with the files that it opens for writing wrapped; the same node if it opens none.

    :param verb: the name of the step's verb.
    :param argument: its argument, fully rendered.
    """
    value = to_json(argument)
    wrapped = _wrap_in_step(verb, value, wrap)
    return argument if wrapped == value else from_json(wrapped, argument.span)


def _wrap_in_step(verb: str, value: JsonValue, wrap: WrapFile) -> JsonValue:
    if not isinstance(value, dict):
        return value
    if verb == "launch":
        drives, nodes = value.get("drives"), value.get("blockdev")
        changed: JsonObject = dict(value)
        if isinstance(drives, list):
            changed["drives"] = [_wrap_drive(each, wrap) for each in drives]
        if isinstance(nodes, list):
            changed["blockdev"] = [_wrap_node(each, wrap) for each in nodes]
        return changed
    arguments = value.get("arguments")
    if verb == "qmp" and isinstance(arguments, dict):
        return {**value, "arguments": _wrap_in_command(str(value.get("execute")), arguments, wrap)}
    return value


def _wrap_in_command(name: str, arguments: JsonObject, wrap: WrapFile) -> JsonObject:
    if name == "blockdev-add":
        wrapped = _wrap_node(arguments, wrap)
        assert isinstance(wrapped, dict)
        return wrapped
    options = arguments.get("options")
    if name == "blockdev-reopen" and isinstance(options, list):
        return {**arguments, "options": [_wrap_node(each, wrap) for each in options]}
    return arguments


def _wrap_drive(drive: JsonValue, wrap: WrapFile) -> JsonValue:
    """Wrap the file of a drive of `launch`; its options are dotted, as on the command line."""
    if not isinstance(drive, dict) or drive.get("read-only") in READ_ONLY or drive.get("snapshot") in READ_ONLY:
        return drive
    node: JsonObject = {"driver": "file", "filename": drive["file"]}
    node |= {key: value for key, value in drive.items() if key in BACKEND_OPTIONS}
    rest = {key: value for key, value in drive.items() if key != "file" and key not in BACKEND_OPTIONS}
    return {**rest, **_flatten("file", wrap(node))}


def _flatten(prefix: str, value: JsonValue) -> JsonObject:
    """Return a nested value as options with dotted keys. Source: qdict_flatten in QEMU."""
    if isinstance(value, dict):
        items: list[tuple[str, JsonValue]] = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list):
        items = [(str(index), each) for index, each in enumerate(value)]
    else:
        return {prefix: value}
    flat: JsonObject = {}
    for key, each in items:
        flat |= _flatten(f"{prefix}.{key}", each)
    return flat


def _wrap_node(node: JsonValue, wrap: WrapFile) -> JsonValue:
    if not isinstance(node, dict) or node.get("read-only") in READ_ONLY:
        return node
    driver = node.get("driver")
    if driver in FILES:
        return _wrap_file(node, wrap)
    child = "file" if driver in FORMATS else FILTERS.get(str(driver))
    changed = dict(node)
    if child is not None and isinstance(node.get(child), dict):
        changed[child] = _wrap_node(node[child], wrap)
    if isinstance(node.get("backing"), dict):
        changed["backing"] = _wrap_node(node["backing"], wrap)
    return changed


def _wrap_file(node: Mapping[str, Any], wrap: WrapFile) -> JsonObject:
    bare: JsonObject = {key: value for key, value in node.items() if key != "node-name"}
    name: JsonObject = {"node-name": node["node-name"]} if "node-name" in node else {}
    return {**wrap(bare), **name}
