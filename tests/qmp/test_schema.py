"""Messages and expected values are checked against an excerpt of introspection written by hand."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import MappingNode, Node, UnknownNode
from run_scenarios.core.source import Source
from run_scenarios.qmp.message_checker import check_event, check_event_name, check_message, check_result
from run_scenarios.qmp.schema import InvalidSchema, QmpSchema, parse_schema
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


def found(text: str, schema: QmpSchema = SCHEMA) -> list[Diagnostic]:
    """Return the mistakes in a message."""
    return list(check_message(node(text), schema))


def messages(text: str, schema: QmpSchema = SCHEMA) -> list[str]:
    """Return the messages, without their place in the file."""
    return [each.message for each in found(text, schema)]


def test_a_misspelt_argument_is_reported_with_its_line() -> None:
    (finding,) = found("""\
        execute: bitmap-add
        arguments:
          node: drive0
          granularty: 65536
    """)
    assert finding.render() == textwrap.dedent("""\
        x.yaml:4:3: error: 'bitmap-add' has no argument 'granularty'
            4 |   granularty: 65536
              |   ^^^^^^^^^^ did you mean 'granularity'? (QEMU 9.8.7)""")


@pytest.mark.parametrize(
    "text",
    [
        "bitmap-add: is a key, not a message",
        "now",
        "{exec-oob: now}",
        "{execute: bitmap-add, arguments: {node: a, granularity: 1, persistent: true}}",
        "{execute: node-add, arguments: {driver: file, filename: a, size: 1}}",
        "{execute: node-add, arguments: {driver: qcow2, size: a, file: {driver: qcow2, file: b, flags: [file]}}}",
        "{execute: set, arguments: {any: {a: [1, null]}, number: 1, level: null, switch: on}}",
        "{execute: set, arguments: {any: null, number: 1.5, level: 3}}",
        "{execute: device_add, arguments: {driver: scsi-hd, bus: b, lun: 1}}",
        "{execute: transaction, arguments: {actions: []}}",
        "{execute: transaction, arguments: {actions: [{type: abort}, {type: bitmap-add, data: {node: a}}]}}",
    ],
)
def test_a_valid_message_is_accepted(text: str) -> None:
    assert messages(text) == []


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("bitmap-ad", "1:1", "there is no command 'bitmap-ad'", "did you mean 'bitmap-add'?"),
        ("quit", "1:1", "there is no command 'quit'", "if another QEMU has it, list it in 'requires'"),
        ("{exec-oob: set}", "1:12", "'set' cannot be executed out of band", "commands that can: now"),
        ("bitmap-add", "1:1", "'bitmap-add' needs the argument 'node'", ""),
        ("{execute: bitmap-add, arguments: {}}", "1:23", "'bitmap-add' needs the argument 'node'", ""),
        (
            "{execute: bitmap-add, arguments: {node: 1}}",
            "1:41",
            "argument 'node' of 'bitmap-add' must be a string, not an integer",
            "",
        ),
        (
            "{execute: bitmap-add, arguments: {node: a, granularity: '64k'}}",
            "1:57",
            "argument 'granularity' of 'bitmap-add' must be an integer, not a string",
            "QMP takes plain numbers: write 65536",
        ),
        (
            "{execute: bitmap-add, arguments: {node: a, granularity: 1.0}}",
            "1:57",
            "argument 'granularity' of 'bitmap-add' must be an integer, not a number",
            "",
        ),
        (
            "{execute: bitmap-add, arguments: {node: a, granularity: true}}",
            "1:57",
            "argument 'granularity' of 'bitmap-add' must be an integer, not a boolean",
            "",
        ),
        (
            "{execute: bitmap-add, arguments: {node: a, persistent: on}}",
            "1:56",
            "argument 'persistent' of 'bitmap-add' must be a boolean, not a string",
            "write true",
        ),
        (
            "{execute: node-add, arguments: {driver: qcow3}}",
            "1:41",
            "argument 'driver' of 'node-add' cannot be 'qcow3'",
            "did you mean 'qcow2'?",
        ),
        (
            "{execute: node-add, arguments: {driver: file, filename: a, flags: []}}",
            "1:60",
            "'node-add' has no argument 'flags' with driver 'file'",
            "only with driver qcow2",
        ),
        (
            "{execute: node-add, arguments: {filename: a}}",
            "1:21",
            "'node-add' needs the argument 'driver'",
            "",
        ),
        (
            "{execute: node-add, arguments: {driver: qcow2, file: {driver: qcow2, file: {driver: file}}}}",
            "1:70",
            "'node-add' needs the argument 'file.file.filename' with driver 'file'",
            "",
        ),
        (
            "{execute: node-add, arguments: {driver: qcow2, file: [a]}}",
            "1:54",
            "argument 'file' of 'node-add' must be a mapping or a string, not a list",
            "",
        ),
        (
            "{execute: node-add, arguments: {driver: qcow2, file: a, flags: [file, qcow]}}",
            "1:71",
            "argument 'flags[1]' of 'node-add' cannot be 'qcow'",
            "did you mean 'qcow2'?",
        ),
        (
            "{execute: set, arguments: {switch: true}}",
            "1:36",
            "argument 'switch' of 'set' must be a string, not a boolean",
            "",
        ),
        (
            "{execute: set, arguments: {level: high}}",
            "1:35",
            "argument 'level' of 'set' must be an integer or null, not a string",
            "",
        ),
        (
            "execute: transaction\narguments: {actions: [{type: abort}, {type: bitmap-add, data: {nod: a, node: b}}]}",
            "2:64",
            "'transaction' has no argument 'actions[1].data.nod'",
            "did you mean 'node'?",
        ),
        (
            "{execute: transaction, arguments: {actions: [{type: abort, data: {}}]}}",
            "1:60",
            "'transaction' has no argument 'actions[0].data' with type 'abort'",
            "only with type bitmap-add",
        ),
        (
            "{execute: bitmap-add, arguments: {nod: a}}",
            "1:35",
            "'bitmap-add' has no argument 'nod'",
            "did you mean 'node'?",
        ),
        ("{execute: device_add, arguments: {bus: b}}", "1:23", "'device_add' needs the argument 'driver'", ""),
    ],
)
def test_a_mistake_is_reported_at_its_place(text: str, place: str, message: str, hint: str) -> None:
    (finding,) = found(text)
    assert (str(finding.span), finding.message, finding.severity) == (f"x.yaml:{place}", message, "error")
    assert finding.hint.startswith(hint)
    assert finding.hint.endswith("(QEMU 9.8.7)")


def test_all_mistakes_are_reported_together() -> None:
    assert messages("{execute: bitmap-add, arguments: {granularity: a, x: 1}}") == [
        "argument 'granularity' of 'bitmap-add' must be an integer, not a string",
        "'bitmap-add' has no argument 'x'",
        "'bitmap-add' needs the argument 'node'",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("old", "'old' is deprecated"),
        ("{execute: bitmap-add, arguments: {node: a, device: b}}", "argument 'device' of 'bitmap-add' is deprecated"),
        (
            "{execute: node-add, arguments: {driver: qcow2, file: a, flags: [file, 'null']}}",
            "'null' for argument 'flags[]' of 'node-add' is deprecated",
        ),
    ],
)
def test_a_deprecated_name_is_a_warning(text: str, message: str) -> None:
    assert [(each.message, each.severity) for each in found(text)] == [(message, "warning")]


def unknown_at(root: Node, *path: str) -> Node:
    """Return a node whose value at `path` is not known before the run."""
    if not path:
        return UnknownNode(root.span)
    assert isinstance(root, MappingNode)
    entries = [
        type(each)(each.span, each.key, unknown_at(each.value, *path[1:])) if each.key == path[0] else each
        for each in root
    ]
    return MappingNode(root.span, tuple(entries), dynamic=True)


@pytest.mark.parametrize("path", ["arguments", "execute", "arguments.granularity"])
def test_an_unknown_value_is_accepted(path: str) -> None:
    message = node("{execute: bitmap-add, arguments: {node: a, granularity: wrong}}")
    assert list(check_message(message, SCHEMA))
    assert list(check_message(unknown_at(message, *path.split(".")), SCHEMA)) == []


def test_a_union_with_an_unknown_tag_may_have_the_keys_of_any_branch() -> None:
    message = node("{execute: node-add, arguments: {driver: x, filename: 1, size: [], strange: 1}}")
    assert [each.message for each in check_message(unknown_at(message, "arguments", "driver"), SCHEMA)] == [
        "argument 'filename' of 'node-add' must be a string, not an integer",
        "'node-add' has no argument 'strange'",
    ]


@pytest.mark.parametrize(
    ("expected", "wrong"),
    [
        ("{event: JOB_ERROR, data: {status: on, len: 3}, timestamp: {seconds: {$gt: 3}}}", []),
        ("{data: {status: {$not: {$one-of: [on, off]}}, len: {$any: true}}}", []),
        ("{date: {}}", ["event 'JOB_ERROR' has no key 'date'"]),
        ("{event: OTHER}", ["key 'event' of event 'JOB_ERROR' cannot be 'OTHER'"]),
        ("{data: {statu: {$absent: true}}}", ["event 'JOB_ERROR' has no key 'data.statu'"]),
        ("{data: {status: {$ne: onn}}}", ["key 'data.status' of event 'JOB_ERROR' cannot be 'onn'"]),
        ("{data: {status: {$one-of: [on, of]}}}", ["key 'data.status' of event 'JOB_ERROR' cannot be 'of'"]),
        ("{data: {$exact: {len: a}}}", ["key 'data.len' of event 'JOB_ERROR' must be an integer, not a string"]),
        ("{data: []}", ["key 'data' of event 'JOB_ERROR' must be a mapping, not a list"]),
    ],
)
def test_an_expected_event_must_be_possible(expected: str, wrong: list[str]) -> None:
    assert [each.message for each in check_event("JOB_ERROR", node(expected), SCHEMA)] == wrong


def test_an_expected_event_without_a_name_is_checked_at_the_top() -> None:
    assert [each.message for each in check_event("", node("{data: {x: 1}, dat: 1}"), SCHEMA)] == [
        "an event has no key 'dat'"
    ]


def test_an_unknown_event_is_reported() -> None:
    assert list(check_event_name(node("JOB_ERROR"), SCHEMA)) == []
    (finding,) = check_event_name(node("JOB_EROR"), SCHEMA)
    assert (finding.message, finding.hint) == (
        "there is no event 'JOB_EROR'",
        "did you mean 'JOB_ERROR'? (QEMU 9.8.7)",
    )


@pytest.mark.parametrize(
    ("expected", "wrong"),
    [
        ("[]", []),
        ("[{status: on}]", []),
        ("{$unordered: [{status: on}, {len: 1}]}", []),
        ("{$length: 3}", []),
        ("{status: on}", ["the result of 'query' must be a list, not a mapping"]),
        ("[{stats: {$absent: true}}]", ["the result of 'query' has no key '[0].stats'"]),
        ("{$contains: {len: a}}", ["key '[].len' of the result of 'query' must be an integer, not a string"]),
        ("{$unordered: [{status: o}]}", ["key '[].status' of the result of 'query' cannot be 'o'"]),
    ],
)
def test_an_expected_result_must_be_possible(expected: str, wrong: list[str]) -> None:
    assert [each.message for each in check_result(SCHEMA.commands["query"], "query", node(expected), SCHEMA)] == wrong


def test_features_are_named_after_their_command() -> None:
    assert SCHEMA.features == {"old/deprecated"}


@pytest.mark.parametrize(
    ("version", "entities"),
    [([1, 2, 3], {}), ([1, 2, 3], [{}]), ([1, 2, 3], [{"name": "a", "meta-type": "b"}]), ([1, 2], []), (None, [])],
)
def test_an_invalid_schema_is_refused(version: Any, entities: Any) -> None:
    entities = entities or [1]
    with pytest.raises(InvalidSchema):
        parse_schema("qemu", version, entities)
