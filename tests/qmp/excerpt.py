"""An excerpt of introspection, written by hand."""

from __future__ import annotations

import textwrap
from typing import Any

from run_scenarios.core.nodes import Node
from run_scenarios.core.source import Source
from run_scenarios.qmp.schema import parse_schema
from run_scenarios.syntax.yaml_loader import load_text


def member(name: str, type_: str, *features: str, optional: bool = False) -> dict[str, Any]:
    """Return an object's member as introspection describes it."""
    return {"name": name, "type": type_, "features": [*features], **({"default": None} if optional else {})}


def command(name: str, arguments: str, returns: str = "0", /, **more: Any) -> dict[str, Any]:
    """Return a command as introspection describes it."""
    return {"meta-type": "command", "name": name, "arg-type": arguments, "ret-type": returns, **more}


EXCERPT: Any = [
    *(
        {"meta-type": "builtin", "name": name, "json-type": json}
        for name, json in {
            "str": "string",
            "int": "int",
            "number": "number",
            "bool": "boolean",
            "null": "null",
            "any": "value",
        }.items()
    ),
    {"meta-type": "object", "name": "0", "members": []},
    command("bitmap-add", "1"),
    command("node-add", "2"),
    command("old", "0", features=["deprecated"]),
    {**command("now", "0"), "allow-oob": True},
    command("set", "9"),
    command("device_add", "10"),
    command("transaction", "12"),
    command("query", "0", "[14]"),
    {
        "meta-type": "object",
        "name": "1",
        "members": [
            member("node", "str"),
            member("granularity", "int", optional=True),
            member("persistent", "bool", optional=True),
            member("device", "str", "deprecated", optional=True),
        ],
    },
    {
        "meta-type": "object",
        "name": "2",
        "members": [member("driver", "3"), member("node-name", "str", optional=True)],
        "tag": "driver",
        "variants": [
            {"case": "file", "type": "4"},
            {"case": "qcow2", "type": "5"},
            {"case": "null", "type": "0"},
        ],
    },
    {
        "meta-type": "enum",
        "name": "3",
        "members": [{"name": "file"}, {"name": "qcow2"}, {"name": "null", "features": ["deprecated"]}],
    },
    {
        "meta-type": "object",
        "name": "4",
        "members": [member("filename", "str"), member("size", "int", optional=True)],
    },
    {
        "meta-type": "object",
        "name": "5",
        "members": [member("file", "6"), member("size", "str", optional=True), member("flags", "[3]", optional=True)],
    },
    {"meta-type": "alternate", "name": "6", "members": [{"type": "2"}, {"type": "str"}]},
    {"meta-type": "array", "name": "[3]", "element-type": "3"},
    {"meta-type": "enum", "name": "8", "values": ["on", "off"]},
    {
        "meta-type": "object",
        "name": "9",
        "members": [
            member("any", "any", optional=True),
            member("number", "number", optional=True),
            member("level", "7", optional=True),
            member("switch", "8", optional=True),
        ],
    },
    {"meta-type": "alternate", "name": "7", "members": [{"type": "int"}, {"type": "null"}]},
    {"meta-type": "object", "name": "10", "members": [member("driver", "str")]},
    {"meta-type": "object", "name": "12", "members": [member("actions", "[13]")]},
    {"meta-type": "array", "name": "[13]", "element-type": "13"},
    {
        "meta-type": "object",
        "name": "13",
        "members": [member("type", "15")],
        "tag": "type",
        "variants": [{"case": "bitmap-add", "type": "16"}, {"case": "abort", "type": "0"}],
    },
    {"meta-type": "enum", "name": "15", "members": [{"name": "bitmap-add"}, {"name": "abort"}]},
    {"meta-type": "object", "name": "16", "members": [member("data", "1")]},
    {"meta-type": "array", "name": "[14]", "element-type": "14"},
    {"meta-type": "object", "name": "14", "members": [member("status", "8"), member("len", "int", optional=True)]},
    {"meta-type": "event", "name": "JOB_ERROR", "arg-type": "14"},
]
SCHEMA = parse_schema("qemu", [9, 8, 7], EXCERPT)


def node(text: str) -> Node:
    """Return YAML as a node."""
    return load_text(Source("x.yaml", textwrap.dedent(text)))
