"""The types that the arguments of several verbs share: their JSON Schemas, and the parsers of their nodes."""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache
from typing import Any

from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.errors import scenario_error
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.nodes import (
    Entry,
    JsonObject,
    JsonValue,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    make_mapping,
    to_json,
)
from run_scenarios.syntax.matchers import check_matcher
from run_scenarios.syntax.sizes import MAX_SIZE, parse_byte_size

FORMATS = ["bochs", "cloop", "dmg", "luks", "parallels", "qcow", "qcow2", "qed", "raw", "vdi", "vhdx", "vmdk", "vpc"]
SUFFIXES = {f".{name}": name for name in FORMATS} | {".img": "raw", ".vhd": "vpc"}
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m)?")
TOOL_SIZE = re.compile("[0-9]+[kKMGT]")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


def document(schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Return a schema with a description, which the reference and editors show."""
    return {**schema, "description": description}


def enum_schema(*values: str) -> dict[str, Any]:
    """Return the schema of a string that must be one of these."""
    return {"type": "string", "enum": list(values)}


def object_schema(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a mapping that has only these keys; `_` in a name stands for `-`."""
    return {
        "type": "object",
        "properties": {name.rstrip("_").replace("_", "-"): schema for name, schema in properties.items()},
        "required": required,
        "additionalProperties": False,
    }


def list_schema(schema: dict[str, Any], at_least: int = 1) -> dict[str, Any]:
    """Return the schema of a list of items of one kind."""
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
FILE = document({**TEXT, "x-case-file": True}, "name of a file in the case's directory")
IMAGE_FORMAT = document(FORMAT, "image format; by default the suffix of the file name determines it")
VERSION_RANGE: dict[str, Any] = {
    "type": "string",
    "pattern": r"^\s*(>=|<)\s*[0-9]+(\.[0-9]+){0,2}\s*$",
    "title": "a version such as '>= 8.0'",
}
MATCHER: dict[str, Any] = {"title": "an expected value"}
NODE_OR_DRIVE = document(TEXT, "id of the drive, or name of the block node")
ARGUMENTS = list_schema({"type": ["string", "integer"]})
IMAGE_OPTIONS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": ["string", "integer", "boolean"]},
    "minProperties": 1,
}


@unchecked_frozen
class Size:
    """A number of bytes, and the text to pass to QEMU's tools: as written if they accept that."""

    bytes: int
    text: str


@unchecked_frozen
class Image:
    """An image file and its format."""

    file: str
    format: str


def parse_text(node: Node | None, default: str = "") -> str:
    """Return the value of a string node, `default` if the node is missing."""
    return str(to_json(node)) if node is not None else default


def parse_flag(node: Node | None) -> bool:
    """Return the value of a boolean node, False if the node is missing."""
    return node is not None and to_json(node) is True


def parse_size(node: Node) -> Size:
    """Return a size.

    :raise ScenarioError: if it is not a whole number of bytes.
    """
    try:
        return _parse_size_text(str(to_json(node)))
    except ValueError as error:
        raise scenario_error(node.span, str(error)) from None


@lru_cache(maxsize=4096)
def _parse_size_text(text: str) -> Size:
    size = parse_byte_size(text)
    return Size(size, text if TOOL_SIZE.fullmatch(text) else str(size))


def parse_seconds(node: Node) -> float:
    """Return a duration in seconds.

    :raise ScenarioError: if it is not a duration, or not above zero.
    """
    found = DURATION.fullmatch(parse_text(node))
    seconds = float(found[1]) * SECONDS[found[2]] if found else 0
    if seconds <= 0:
        raise scenario_error(node.span, "not a duration above zero", "for example 10, 500ms, 10s or 2m")
    return seconds


def parse_image_options(node: Node | None) -> list[str]:
    """Return `-o key=value,…` for a mapping of image options, an empty list if the node is missing.

    Source: qemu-img's manual, `-o`.
    """
    return ["-o", format_options(parse_object(node))] if isinstance(node, MappingNode) else []


def format_options(options: JsonObject) -> str:
    """Return options in the syntax of QEMU's command line: `key=value,key=on`, with commas in values doubled."""
    return ",".join(f"{key}={_format_option_value(value)}" for key, value in options.items())


def _format_option_value(value: JsonValue) -> str:
    return ("off", "on")[value] if isinstance(value, bool) else str(value).replace(",", ",,")


def parse_argv(node: Node | None) -> tuple[str, ...]:
    """Return a list of scalars as command line arguments, empty if the node is missing."""
    return tuple(str(to_json(item)) for item in node) if isinstance(node, SequenceNode) else ()


def parse_object(node: Node) -> JsonObject:
    """Return the value of a mapping node."""
    value = to_json(node)
    assert isinstance(value, dict)
    return value


def parse_matcher(node: Node | None) -> Node | None:
    """Return an expected value after checking its operators.

    :raise ScenarioError: for an invalid operator.
    """
    if node is not None:
        check_matcher(node)
    return node


def parse_file(node: Node | None) -> str:
    """Return a file name; the schema `FILE` has checked that it stays in the case's directory."""
    assert node is not None
    return parse_text(node)


def parse_image(node: Node) -> Image:
    """Return an image given as a file name, or as a mapping with `file` and possibly `format`.

    :raise ScenarioError: if there is no format and the suffix does not determine it.
    """
    if isinstance(node, MappingNode):
        return parse_image_file(node.get("file"), node.get("format"))
    return parse_image_file(node, None)


def parse_image_file(file: Node | None, format_: Node | None) -> Image:
    """Return an image, given the nodes of its file name and its format.

    :raise ScenarioError: if there is no format and the suffix does not determine it.
    """
    name = parse_file(file)
    if format_ is not None:
        return Image(name, parse_text(format_))
    suffix = posixpath.splitext(name)[1]
    if suffix not in SUFFIXES:
        hint = did_you_mean(suffix, SUFFIXES, "add 'format:', or use a suffix such as .qcow2 or .raw")
        assert file is not None
        raise scenario_error(file.span, f"cannot tell the format of '{name}' from its name", hint)
    return Image(name, SUFFIXES[suffix])


def expand_short_form(argument: Node, key: str) -> MappingNode:
    """Return the mapping that an argument stands for; an argument other than a mapping is the value of `key`."""
    if isinstance(argument, MappingNode):
        return argument
    is_null = isinstance(argument, ScalarNode) and argument.value is None
    return make_mapping(argument.span, () if is_null else (Entry(argument.span, key, argument),))


IMAGE: dict[str, Any] = {
    "anyOf": [
        FILE,
        object_schema(["file"], file=FILE, format=IMAGE_FORMAT),
    ]
}
