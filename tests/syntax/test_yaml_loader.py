"""YAML text to nodes: types, positions, and bounds on what hostile text can cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_scenarios.core.errors import ScenarioError
from run_scenarios.core.nodes import ExpressionNode, JsonValue, MappingNode, ScalarNode, find_at_path, to_json
from run_scenarios.core.source import Source
from run_scenarios.syntax.yaml_loader import MAX_FILE_BYTES, load_file, load_text


def load(text: str) -> JsonValue:
    return to_json(load_text(Source("a.yaml", text)))


def refusal(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        load_text(Source("a.yaml", text))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, word) for word in ("on", "off", "yes", "no", "y", "n", "On", "OFF")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[(word, None) for word in ("null", "Null", "NULL", "~")],
        ("0644", 644),
        ("0o644", 420),
        ("0xfF", 255),
        ("-0x1", "-0x1"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("+12", 12),
        ("-7", -7),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("1.5.2", "1.5.2"),
        ("2026-01-01", "2026-01-01"),
        ("=", "="),
        ("'5'", "5"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("64k", "64k"),
        ("-", "-"),
    ],
)
def test_a_scalar_has_its_core_type(text: str, value: object) -> None:
    loaded = load(f"[{text}]" if text not in ("-", "- ") else f"['{text}']")
    assert loaded == [value]
    assert isinstance(loaded, list)
    assert type(loaded[0]) is type(value)


def test_a_merge_takes_what_is_not_there() -> None:
    assert load("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}") == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}


def test_the_first_of_several_merged_mappings_wins() -> None:
    text = "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}"
    assert load(text) == {"a": {"x": 1}, "b": {"x": 2, "y": 2}, "c": {"x": 1, "y": 2}}


def test_every_node_knows_its_place() -> None:
    root = load_text(Source("a.yaml", "é: 1\nb:\n  - 'é'\n  - {c: [x, yy]}\n"))
    span, node = find_at_path(root, ("b", 1, "c", 1))
    assert str(span) == "a.yaml:4:13"
    assert span.width == 2
    assert to_json(node) == "yy"


def test_text_with_braces_is_an_expression() -> None:
    root = load_text(Source("a.yaml", 'a: "{{ x }}"\nb: "{ x }"\n'))
    assert isinstance(root, MappingNode)
    assert isinstance(root.get("a"), ExpressionNode)
    assert isinstance(root.get("b"), ScalarNode)
    assert root.dynamic


@pytest.mark.parametrize("char", ["\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("quoted", ["x{}y", "'x{}y'", '"x{}y"', "|-\n  x{}y", ">-\n  x{}y"])
def test_a_line_break_of_yaml_1_1_is_an_ordinary_character(quoted: str, char: str) -> None:
    text = f"a: {quoted.format(char)}\nb: 1\nb: 2\n"
    assert load(text.removesuffix("b: 2\n")) == {"a": f"x{char}y", "b": 1}
    line = text.count("\n")
    assert f"a.yaml:{line}:1: error: duplicate key 'b'" in refusal(text)
    assert f"{line:5} | b: 2\n      | ^ first given on line {line - 1}" in refusal(text)


def test_columns_after_a_line_break_of_yaml_1_1_are_counted_from_the_start_of_the_line() -> None:
    root = load_text(Source("a.yaml", 'a: ["\u2028\x85", \U0010fffd, "\u2029", z]\n'))
    assert to_json(root) == {"a": ["\u2028\x85", "\U0010fffd", "\u2029", "z"]}
    span, _ = find_at_path(root, ("a", 3))
    assert (str(span), span.width) == ("a.yaml:1:19", 1)
    assert span.source.line(1)[span.column - 1] == "z"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_break_of_yaml_1_2_begins_a_line(end: str) -> None:
    text = refusal(f"a: 1{end}# \u2028{end}b: x{end}b: y{end}")
    assert "a.yaml:4:1: error: duplicate key 'b'" in text
    assert "    4 | b: y\n" in text
    text = refusal(f"a: \x85{end}b: \x07{end}")
    assert "a.yaml:2:4: error: YAML does not allow this control character" in text


def test_the_position_of_a_byte_that_is_not_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes("a: \u2028\rb: é".encode() + b"\xff\n")
    with pytest.raises(ScenarioError, match=r"a.yaml:2:5: error: byte 0xff is not UTF-8"):
        load_file(file, "a.yaml")


def test_a_control_character_is_found_behind_characters_of_several_bytes() -> None:
    text = refusal("é: 💾\nb: é\x07")
    assert "a.yaml:2:5: error: YAML does not allow this control character" in text
    assert "\\x07" in text
    assert "\x07" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 900_000, "nested more than"),
        ("{a: " * 200_000, "nested more than"),
        ("- " * 400_000, "nested more than"),
        ("? " * 400_000, "nested more than"),
        ("- 1\n" * 200_000, "more than 50000 values"),
        ("9" * 100_000, "a number of more than 40 characters"),
        ("0x" + "f" * 100_000, "a number of more than 40 characters"),
        ("1e999", "JSON has no number"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "\n".join(
                f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]"
                for a, b in zip("abcdefg", "bcdefgh", strict=True)
            ),
            "aliases expanded",
        ),
        (
            "a: &a {"
            + ",".join(f"k{i}: 1" for i in range(200))
            + "}\n"
            + "".join(f"b{i}: {{<<: *a}}\n" for i in range(3000)),
            "aliases expanded",
        ),
    ],
    ids=[
        "brackets",
        "braces",
        "dashes",
        "questions",
        "values",
        "digits",
        "hexadecimal",
        "infinity",
        "aliases",
        "merges",
    ],
)
def test_hostile_text_is_refused(text: str, said: str) -> None:
    assert said in refusal(text)


def test_what_is_too_deep_for_libyaml_is_shown_where_it_is_too_deep_for_us() -> None:
    assert "a.yaml:2:53: error: nested more than 50 deep" in refusal(f"# {'é' * 2000}\na: {'[' * 5000}")


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    with file.open("wb") as stream:
        stream.truncate(50 << 20)
    with pytest.raises(ScenarioError, match=r"larger than 1 MiB"):
        load_file(file, "large.yaml")


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text("a: 1\n".ljust(MAX_FILE_BYTES, "#"))
    assert to_json(load_file(file, "large.yaml")) == {"a": 1}


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"cannot read the file: No such file"):
        load_file(tmp_path / "none.yaml", "none.yaml")


def test_a_long_line_is_shown_in_part() -> None:
    text = refusal("a: [" + "x, " * 10_000 + "{]")
    assert all(len(line) < 250 for line in text.split("\n"))
    assert "^" in text
