"""`-k`: what an expression selects, and where an invalid one is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_scenarios.collection.keyword_expression import KeywordSyntaxError, parse_keyword_expression

TEXTS = ("scenarios/Mirror/nbd[format=qcow2]", "slow", "block-job")


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("mirror", True),
        ("MIRROR", True),
        ("backup", False),
        ("slow", True),
        ("not slow", False),
        ("mirror and slow", True),
        ("mirror and backup", False),
        ("backup or slow", True),
        ("slow or backup and raw", True),
        ("(slow or backup) and raw", False),
        ("not backup and not raw", True),
        ("not (backup or raw)", True),
        ("not not slow", True),
        ("format=qcow2", True),
        ('"nbd[format"', True),
        ('"and"', False),
        ("mirror AND NOT backup", True),
        ("android", False),
    ],
)
def test_words_are_found_in_the_name_and_the_tags(expression: str, fits: bool) -> None:
    assert parse_keyword_expression(expression)(TEXTS) is fits


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "expected a word, 'not' or '(' here\n    \n    ^"),
        ("foo and", "expected a word, 'not' or '(' here\n    foo and\n           ^"),
        ("foo bar", "expected 'and' or 'or' here\n    foo bar\n        ^"),
        ("(foo", "expected 'and', 'or' or ')' here\n    (foo\n        ^"),
        ("foo)", "expected 'and' or 'or' here\n    foo)\n       ^"),
        ("or foo", "expected a word, 'not' or '(' here\n    or foo\n    ^"),
        ('a and "b', 'this quote is empty or not closed\n    a and "b\n          ^'),
        ("(" * 51 + "a", "the expression is nested too deeply\n    " + "(" * 51 + "a\n    " + " " * 50 + "^"),
    ],
)
def test_the_message_shows_where_an_expression_is_invalid(expression: str, message: str) -> None:
    with pytest.raises(KeywordSyntaxError) as caught:
        parse_keyword_expression(expression)
    assert str(caught.value) == message


WORDS = st.sampled_from(["mirror", "backup", "slow", "raw"])
EXPRESSIONS = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        inner.map(lambda each: f"not ({each})"), st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join)
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_an_expression_means_what_it_means_in_python(expression: str) -> None:
    values = {word: any(word in text.lower() for text in TEXTS) for word in ("mirror", "backup", "slow", "raw")}
    assert parse_keyword_expression(expression)(TEXTS) is eval(expression, {}, values)


@given(st.text(alphabet='ab ()"not or', max_size=20))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse_keyword_expression(text)(TEXTS)
    except KeywordSyntaxError as error:
        assert "^" in str(error)
