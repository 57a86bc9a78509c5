"""Expressions keep types, see variables and nothing else, and cannot grow."""

from __future__ import annotations

from typing import Any

import pytest
from run_scenarios.core.errors import ScenarioError
from run_scenarios.core.nodes import UNKNOWN, ExpressionNode, UnknownNode, from_json, to_json, to_partial
from run_scenarios.core.source import Source, Span
from run_scenarios.syntax.render import render
from run_scenarios.syntax.sizes import parse_byte_size
from run_scenarios.syntax.yaml_loader import load_text


def evaluate(text: str, **variables: Any) -> object:
    return to_json(render(ExpressionNode(Span(Source("a.yaml", text), 1, 1, len(text)), text), variables))


def refusal(text: str, **variables: Any) -> str:
    with pytest.raises(ScenarioError) as caught:
        evaluate(text, **variables)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ 5 }}", 5),
        ("{{ '5' }}", "5"),
        ("{{ a }}", "78"),
        ("{{ a }} ", "78 "),
        ("{{ 1 }}{{ 2 }}", "12"),
        ("{{ true }}", True),
        ("x={{ true }}", "x=true"),
        ("{{ none }}", None),
        ("{{- 1 -}}", 1),
        ("{{ [1, (2, 3)] }}", [1, [2, 3]]),
        ("{{ {'a': 1.5} }}", {"a": 1.5}),
        ("{{ '64k' | bytes }}", 65536),
        ("{{ d.items }}", 5),
        ("{{ d['values'] }}", [1, 2]),
        ("{{ d['values'] | map('string') }}", ["1", "2"]),
        ("{{ d.none | default(3) }}", 3),
        ("{{ '{{' }} {% x %} {# y #}", "{{ {% x %} {# y #}"),
        ("{{ 'a' if d.items > 3 else 'b' }}", "a"),
        ("{{ l[-1] }}", 2),
        ("{{ l[:1] }}", [1]),
    ],
)
def test_a_value_has_its_native_type(text: str, value: object) -> None:
    found = evaluate(text, a="78", d={"items": 5, "values": [1, 2]}, l=[1, 2])
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ range(3) }}", "cannot call"),
        ("{{ a.upper() }}", "cannot call"),
        ("{{ a.__class__ }}", "a string has no '__class__'"),
        ("{{ a['__class__'] }}", "a string has no '__class__'"),
        ("{{ d.keys }}", "there is no key 'keys'"),
        ("{{ d.itms }}", "did you mean 'items'?"),
        ("{{ l.append }}", "a list has no 'append'"),
        ("{{ l[5] }}", "there is no item 5 in a list of length 2"),
        ("{{ [a] | map(attribute='__class__') | list }}", "a string has no '__class__'"),
        ("{{ self }}", "'self' is not available in expressions"),
        ("{{ '%s' % a }}", "'%' does not format text"),
        ("{{ 'a' * 10 ** 9 }}", "too large"),
        ("{{ [1] * 10 ** 9 }}", "too large"),
        ("{{ 9 ** (9 ** 9) }}", "too large"),
        ("{{ 2 ** 2000 }}", "too large"),
        ("{{ 1e308 * 10 }}", "JSON has no number 'inf'"),
        ("{{ 1e400 }}", "a number is too large"),
        ("x{{ 1e308 / 1e-10 }}", "the result is not a number"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "nested too deep"),
        ("{{ 1" + " + 1" * 2000 + " }}", "nested too deep"),
        ("{{ 1 }}" * 101, "more than 100 parts"),
        ("{{ " + "a ~ " * 101 + "1 }}", "more than 100 parts"),
        ("{{ 1 }}" + " " * 10_000, "longer than 8192 characters"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ l }}!", "a list cannot become part of a text"),
        ("{{ omit }}", "'omit' can only be the value of a key"),
        ("{{ omit }}!", "'omit' leaves out a whole key"),
        ("{{ {1: 2} }}", "a key of a mapping is a string"),
        ("{{ b }}", "'b' is not set"),
        ("{{ 'x' | byts }}", "did you mean 'bytes'?"),
        ("{{ 1 is odder }}", "did you mean 'odd'?"),
        ("{{ a && a }}", "write 'and'"),
        ("{{ a", "expected '}}'"),
    ],
)
def test_what_an_expression_cannot_do(text: str, said: str) -> None:
    assert said in refusal(text, a="text", d={"items": 5}, l=[1, 2])


def test_a_name_that_is_not_set_is_pointed_at() -> None:
    assert refusal("{{ a + granularty }}", a=1, granularity=2).endswith(
        "      |        ^^^^^^^^^^ did you mean 'granularity'?"
    )


def test_a_variable_that_is_not_known_yet_makes_the_value_unknown() -> None:
    node = render(load_text(Source("a.yaml", 'a: ["{{ x.y }}", "{{ z }}"]')), {"x": UNKNOWN, "z": 1})
    assert to_partial(node) == {"a": [UNKNOWN, 1]}
    assert node.dynamic
    assert isinstance(node.get("a").items[0], UnknownNode)  # type: ignore[union-attr]


def test_a_name_that_is_not_set_is_found_beside_an_unknown_one() -> None:
    assert "'y' is not set" in refusal("{{ x + y }}", x=UNKNOWN)


def test_omit_leaves_its_key_out() -> None:
    node = load_text(Source("a.yaml", 'a: "{{ omit }}"\nb: {c: "{{ none or omit }}", d: 1}'))
    assert to_json(render(node, {})) == {"b": {"d": 1}}


def test_text_cannot_double_for_ever() -> None:
    text: object = "x" * 16
    with pytest.raises(ScenarioError, match="longer than 65536 characters"):
        for _ in range(40):
            text = evaluate("{{ a }}{{ a }}", a=text)


def test_values_cannot_double_for_ever() -> None:
    node = load_text(Source("a.yaml", '["{{ a }}", "{{ a }}"]'))
    value = to_json(from_json([1], node.span))
    with pytest.raises(ScenarioError, match="more than 20000 values"):
        for _ in range(40):
            value = to_json(render(node, {"a": value}))


def test_values_cannot_nest_for_ever() -> None:
    with pytest.raises(ScenarioError, match="nested more than 100 deep"):
        value: object = 1
        for _ in range(2000):
            value = evaluate("{{ [a] }}", a=value)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("64k", 1 << 16),
        ("64K", 1 << 16),
        ("1.5M", 3 << 19),
        ("64KiB", 1 << 16),
        ("7E", 7 << 60),
    ],
)
def test_a_size_is_binary(text: str, size: int) -> None:
    assert parse_byte_size(text) == size


@pytest.mark.parametrize("text", ["", "k", "-1", "1.3k", "64Z", "1 MBit", "8E", "9" * 5000, "0x10", "1e3"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a|is more than"):
        parse_byte_size(text)
