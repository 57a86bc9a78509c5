"""The small types that the arguments of several verbs share."""

from __future__ import annotations

import pytest
from run_scenarios.core.errors import ScenarioError
from run_scenarios.core.nodes import JsonValue, from_json
from run_scenarios.core.source import Source, Span
from run_scenarios.steps.argument_types import (
    Image,
    object_schema,
    parse_argv,
    parse_flag,
    parse_image,
    parse_image_file,
    parse_image_options,
    parse_seconds,
    parse_size,
)

SPAN = Span(Source("case.yaml", ""), 1, 1)


@pytest.mark.parametrize(
    ("written", "size", "text"),
    [
        (512, 512, "512"),
        ("512", 512, "512"),
        ("64k", 65536, "64k"),
        ("64K", 65536, "64K"),
        ("1M", 1048576, "1M"),
        ("2T", 1 << 41, "2T"),
        ("64KiB", 65536, "65536"),
        ("64kB", 65536, "65536"),
        ("1.5M", 1572864, "1572864"),
        ("1 M", 1048576, "1048576"),
        ("1E", 1 << 60, str(1 << 60)),
        ("7b", 7, "7"),
    ],
)
def test_a_size_is_told_to_tools_in_words_they_understand(written: JsonValue, size: int, text: str) -> None:
    found = parse_size(from_json(written, SPAN))
    assert (found.bytes, found.text) == (size, text)


@pytest.mark.parametrize("written", ["", "k", "1x", "-1", "0.3k", "1.0001k"])
def test_what_is_no_whole_number_of_bytes_is_refused(written: str) -> None:
    with pytest.raises(ScenarioError, match="is not a"):
        parse_size(from_json(written, SPAN))


@pytest.mark.parametrize(("written", "seconds"), [(10, 10), (0.5, 0.5), ("500ms", 0.5), ("1.5s", 1.5), ("2m", 120)])
def test_a_duration_is_in_seconds(written: JsonValue, seconds: float) -> None:
    assert parse_seconds(from_json(written, SPAN)) == seconds


@pytest.mark.parametrize("written", [0, "0s", "", "1h", "-1s"])
def test_what_is_no_duration_above_zero_is_refused(written: JsonValue) -> None:
    with pytest.raises(ScenarioError, match="not a duration above zero"):
        parse_seconds(from_json(written, SPAN))


def test_options_are_joined_and_their_commas_doubled() -> None:
    options: JsonValue = {
        "cluster_size": "64k",
        "lazy_refcounts": True,
        "encryption": False,
        "data_file": "a,b",
        "n": 1,
    }
    assert parse_image_options(from_json(options, SPAN)) == [
        "-o",
        "cluster_size=64k,lazy_refcounts=on,encryption=off,data_file=a,,b,n=1",
    ]
    assert parse_image_options(None) == []


def test_words_and_flags() -> None:
    assert parse_argv(from_json(["-a", 1], SPAN)) == ("-a", "1")
    assert [parse_flag(None), parse_flag(from_json(False, SPAN)), parse_flag(from_json(True, SPAN))] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.qcow2", "qcow2"), ("a.b.raw", "raw"), ("d/a.img", "raw"), ("a.vhd", "vpc"), ("a.vmdk", "vmdk")],
)
def test_the_suffix_tells_the_format(name: str, kind: str) -> None:
    assert parse_image(from_json(name, SPAN)) == Image(name, kind)


def test_a_format_that_is_given_counts_more_than_the_suffix() -> None:
    assert parse_image(from_json({"file": "a.qcow2", "format": "raw"}, SPAN)) == Image("a.qcow2", "raw")


@pytest.mark.parametrize("name", ["a", "a.QCOW2", "a.qcow2.old", ".raw"])
def test_another_suffix_tells_no_format(name: str) -> None:
    with pytest.raises(ScenarioError, match="cannot tell the format of"):
        parse_image_file(from_json(name, SPAN), None)


def test_a_record_takes_its_keys_with_hyphens_and_no_others() -> None:
    schema = object_schema(["at"], at={}, read_only={}, import_={})
    assert list(schema["properties"]) == ["at", "read-only", "import"]
    assert schema["additionalProperties"] is False
