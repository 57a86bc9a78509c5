"""The small types that the arguments of several verbs share: their schema, and how they are read from nodes."""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache
from typing import Any

from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.errors import scenario_error
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.nodes import JsonObject, MappingNode, Node, ScalarNode, SequenceNode, to_json
from run_scenarios.syntax.matchers import check_matcher
from run_scenarios.syntax.render import MAX_SIZE, parse_byte_size

FORMATS = ["bochs", "cloop", "dmg", "luks", "parallels", "qcow", "qcow2", "qed", "raw", "vdi", "vhdx", "vmdk", "vpc"]
SUFFIXES = {f".{name}": name for name in FORMATS} | {".img": "raw", ".vhd": "vpc"}
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m)?")
TOOL_SIZE = re.compile("[0-9]+[kKMGT]")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


def document(schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Return a schema with its description."""
    return {**schema, "description": description}


def enum_schema(*values: str) -> dict[str, Any]:
    """Return the schema of one of these strings."""
    return {"type": "string", "enum": list(values)}


def object_schema(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a mapping with these keys and no others; `_` in a name stands for `-`."""
    return {
        "type": "object",
        "properties": {name.rstrip("_").replace("_", "-"): schema for name, schema in properties.items()},
        "required": required,
        "additionalProperties": False,
    }


def list_schema(schema: dict[str, Any], at_least: int = 1) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": schema, "minItems": at_least}


TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
BOOLEAN: dict[str, Any] = {"type": "boolean"}
JSON_OBJECT: dict[str, Any] = {"type": "object"}
NOTHING: dict[str, Any] = {"type": "null"}
SIZE: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_SIZE},
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*([kKMGTPE](i?B)?|[bB])?$"},
    ],
    "title": "a size such as 512, 64k, 1M or 64KiB",
}
VARIABLE: dict[str, Any] = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "title": "a name of ASCII letters, digits and '_'"}
BYTE: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 255}
DURATION_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^(?=.*[1-9])[0-9]+(\.[0-9]+)?\s*(ms|s|m)?$"},
    ],
    "title": "a duration such as 10, 500ms, 10s or 2m",
}
FORMAT = enum_schema(*FORMATS)
FILE = document({**TEXT, "x-case-file": True}, "a file in the case's directory, by its plain relative name")
MATCHER: dict[str, Any] = {"title": "an expected value, matched by shape"}
IMAGE_OPTIONS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": ["string", "integer", "boolean"]},
    "minProperties": 1,
}


@unchecked_frozen
class Size:
    """A number of bytes, and how QEMU's tools are told it: as written where they understand that."""

    bytes: int
    text: str


@unchecked_frozen
class Image:
    """An image file and its format."""

    file: str
    format: str


def parse_text(node: Node | None, default: str = "") -> str:
    """Return a string node's value, `default` for none."""
    return str(to_json(node)) if node is not None else default


def parse_flag(node: Node | None) -> bool:
    """Return a boolean node's value, False for none."""
    return node is not None and to_json(node) is True


def parse_size(node: Node) -> Size:
    """Return a size.

    :raise ScenarioError: if it is no whole number of bytes.
    """
    try:
        return _size(str(to_json(node)))
    except ValueError as error:
        raise scenario_error(node.span, str(error)) from None


@lru_cache(maxsize=4096)
def _size(text: str) -> Size:
    size = parse_byte_size(text)
    return Size(size, text if TOOL_SIZE.fullmatch(text) else str(size))


def parse_seconds(node: Node) -> float:
    """Return a duration in seconds.

    :raise ScenarioError: if it is none, or not above zero.
    """
    found = DURATION.fullmatch(parse_text(node))
    seconds = float(found[1]) * SECONDS[found[2]] if found else 0
    if seconds <= 0:
        raise scenario_error(node.span, "not a duration above zero", "write 10, 500ms, 10s or 2m")
    return seconds


def parse_image_options(node: Node | None) -> list[str]:
    """Return `-o key=value,…` for a mapping of image options, nothing for none.

    Source: qemu-img's manual, `-o`; a comma in a value is doubled.
    """
    if not isinstance(node, MappingNode):
        return []
    return ["-o", ",".join(f"{entry.key}={_option(entry.value)}" for entry in node)]


def _option(node: Node) -> str:
    value = to_json(node)
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value).replace(",", ",,")


def parse_argv(node: Node) -> tuple[str, ...]:
    """Return a list of scalars as command line words."""
    return tuple(str(to_json(item)) for item in node) if isinstance(node, SequenceNode) else ()


def parse_object(node: Node) -> JsonObject:
    """Return a mapping node as a bare mapping."""
    value = to_json(node)
    assert isinstance(value, dict)
    return value


def parse_matcher(node: Node | None) -> Node | None:
    """Return an expected value once its operators are checked.

    :raise ScenarioError: for a wrong one.
    """
    if node is not None:
        check_matcher(node)
    return node


def parse_file(node: Node | None) -> str:
    """Return the name of a file; that it stays in the case's directory is `FILE`'s to check."""
    assert node is not None
    return parse_text(node)


def parse_image_file(file: Node | None, format_: Node | None) -> Image:
    """Return an image by the nodes of its file and format; without a format, the file's suffix tells it.

    :raise ScenarioError: if the suffix tells no format.
    """
    assert file is not None
    name = parse_file(file)
    if format_ is not None:
        return Image(name, parse_text(format_))
    suffix = posixpath.splitext(name)[1]
    if suffix not in SUFFIXES:
        hint = did_you_mean(suffix, SUFFIXES, "add 'format:', or use a suffix such as .qcow2 or .raw")
        raise scenario_error(file.span, f"cannot tell the format of '{name}' from its name", hint)
    return Image(name, SUFFIXES[suffix])


def parse_image(node: Node) -> Image:
    """Return an image given as a name alone or as `{file, format}`.

    :raise ScenarioError: as `parse_image_file`.
    """
    if isinstance(node, ScalarNode):
        return parse_image_file(node, None)
    assert isinstance(node, MappingNode)
    return parse_image_file(node.get("file"), node.get("format"))


IMAGE: dict[str, Any] = {
    "anyOf": [
        FILE,
        object_schema(["file"], file=FILE, format=document(FORMAT, "its format, if the suffix does not tell it")),
    ]
}
