"""How the verbs read and write."""

from __future__ import annotations

import pytest
from run_scenarios.core.errors import ScenarioError
from run_scenarios.core.nodes import JsonValue, from_json
from run_scenarios.core.source import Source, Span
from run_scenarios.steps.argument_types import Image, Size
from run_scenarios.steps.qemu_io_commands import IoTarget, parse_patterns, parse_range, parse_target

SPAN = Span(Source("case.yaml", ""), 1, 1)


@pytest.mark.parametrize(
    ("argument", "disk"),
    [
        ("drive0", IoTarget(None, "drive0")),
        ({"device": "drive0"}, IoTarget(None, "drive0")),
        ({"qdev": "disk0"}, IoTarget(None, "-d disk0")),
        ({"file": "a.qcow2"}, IoTarget(Image("a.qcow2", "qcow2"), "")),
        ({"file": "a.qcow2", "format": "raw"}, IoTarget(Image("a.qcow2", "raw"), "")),
    ],
)
def test_a_disk_is_a_file_a_device_or_a_guest_device(argument: JsonValue, disk: IoTarget) -> None:
    assert parse_target(from_json(argument, SPAN)) == disk


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ({}, "needs exactly one of 'file', 'device' and 'qdev'"),
        ({"device": "drive0", "qdev": "disk0"}, "needs exactly one of 'file', 'device' and 'qdev'"),
        ({"device": "drive0", "format": "raw"}, "'format' requires 'file'"),
    ],
)
def test_a_disk_is_one_of_them_only(argument: JsonValue, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        parse_target(from_json(argument, SPAN))


def test_a_range_keeps_what_was_written() -> None:
    found = parse_range(from_json({"at": "16M", "size": 512}, SPAN))
    assert (found.at, found.size) == (Size(16777216, "16M"), Size(512, "512"))


def test_a_pattern_is_in_the_words_of_qemu_io() -> None:
    written: JsonValue = [
        {"byte": 0xAB, "at": "16M", "size": "256k"},
        {"byte": 0, "at": 1, "size": 2},
        {"at": 0, "size": 3},
    ]
    assert [pattern.text for pattern in parse_patterns(from_json(written, SPAN))] == [
        "-P0xab 16M 256k",
        "-P0x00 1 2",
        "0 3",
    ]
