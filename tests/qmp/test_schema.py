"""Messages and expected values are checked against an excerpt of introspection written by hand."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import MappingNode, Node, UnknownNode
from run_scenarios.qmp.expectation_checker import check_expected
from run_scenarios.qmp.message_checker import check_event, check_event_name, check_message
from run_scenarios.qmp.schema import InvalidSchema, QmpSchema, parse_schema

from tests.qmp.excerpt import SCHEMA, node


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
            "sizes are not converted here: write 65536",
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
        (
            "{data: {$exact: {len: a}}}",
            [
                "key 'data.len' of event 'JOB_ERROR' must be an integer, not a string",
                "event 'JOB_ERROR' needs the key 'data.status'",
            ],
        ),
        ("{data: []}", ["key 'data' of event 'JOB_ERROR' is a mapping, not a list"]),
    ],
)
def test_an_expected_event_must_be_possible(expected: str, wrong: list[str]) -> None:
    assert [each.message for each in check_event("JOB_ERROR", node(expected), SCHEMA)] == wrong


@pytest.mark.parametrize(
    ("expected", "wrong"),
    [
        ("{data: {len: 1}}", []),
        ("{event: {$regex: JOB}, data: {status: {$any: true}}}", []),
        ("{data: {x: 1}, dat: 1}", ["an event has no key 'data.x'", "an event has no key 'dat'"]),
        ("{event: JOB_EROR}", ["key 'event' of an event cannot be 'JOB_EROR'"]),
        ("{event: JOB_ERROR, data: {lem: 1}}", ["event 'JOB_ERROR' has no key 'data.lem'"]),
        ("{event: {$one-of: [JOB_ERROR, JOB_EROR]}}", ["key 'event' of an event cannot be 'JOB_EROR'"]),
    ],
)
def test_an_expected_event_without_a_name_may_be_any_event(expected: str, wrong: list[str]) -> None:
    assert [each.message for each in check_event("", node(expected), SCHEMA)] == wrong


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
        ("{status: on}", ["the result of 'query' is a list, not a mapping"]),
        ("[{stats: {$absent: true}}]", ["the result of 'query' has no key '[0].stats'"]),
        ("{$contains: {len: a}}", ["key '[].len' of the result of 'query' is an integer, not a string"]),
        ("{$unordered: [{status: o}]}", ["key '[].status' of the result of 'query' cannot be 'o'"]),
    ],
)
def test_an_expected_result_must_be_possible(expected: str, wrong: list[str]) -> None:
    assert [each.message for each in check_expected(node(expected), "[14]", "the result of 'query'", SCHEMA)] == wrong


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
