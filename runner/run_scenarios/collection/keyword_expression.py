"""Parse and evaluate keyword expressions: `-k 'mirror and not (nbd or slow)'`.

The grammar is that of pytest's `-k`, with quoted words:

    expression: and_expression ("or" and_expression)*
    and_expression: not_expression ("and" not_expression)*
    not_expression: "not" not_expression | "(" expression ")" | word
    word: text without spaces, quotes and parentheses | '"' any text '"'

A word matches a name or tag that contains it, ignoring case. Operators ignore case too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

MAX_DEPTH = 50
TOKEN = re.compile(r'\s*(?:(?P<parenthesis>[()])|"(?P<quoted>[^"]+)"|(?P<word>[^\s()"]+))')
OPERATORS = ("and", "or", "not")

KeywordMatcher = Callable[[Iterable[str]], bool]
"""Returns whether a case matches, given its name and tags."""


class KeywordSyntaxError(ValueError):
    """A keyword expression is invalid; the text shows where."""

    def __init__(self, text: str, position: int, message: str) -> None:
        super().__init__(f"{message}\n    {text}\n    {' ' * position}^")


def parse_keyword_expression(text: str) -> KeywordMatcher:
    """Return a function that evaluates an expression.

    :raise KeywordSyntaxError: if the expression is invalid.
    """
    return _Parser(text).parse()


class _Parser:
    """A recursive descent parser for one expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0

    def parse(self) -> KeywordMatcher:
        matcher = self._parse_or()
        if self._peek():
            raise self._make_error("'and' or 'or'")
        return matcher

    def _parse_or(self) -> KeywordMatcher:
        parts = [self._parse_and()]
        while self._take("or"):
            parts.append(self._parse_and())
        return lambda texts: any(part(texts) for part in parts)

    def _parse_and(self) -> KeywordMatcher:
        parts = [self._parse_not()]
        while self._take("and"):
            parts.append(self._parse_not())
        return lambda texts: all(part(texts) for part in parts)

    def _parse_not(self) -> KeywordMatcher:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise KeywordSyntaxError(self._text, self._position, "the expression is nested too deeply")
        try:
            if self._take("not"):
                operand = self._parse_not()
                return lambda texts: not operand(texts)
            if self._take("("):
                return self._parse_parenthesized()
            return self._parse_word()
        finally:
            self._depth -= 1

    def _parse_parenthesized(self) -> KeywordMatcher:
        inner = self._parse_or()
        if not self._take(")"):
            raise self._make_error("'and', 'or' or ')'")
        return inner

    def _parse_word(self) -> KeywordMatcher:
        found = self._peek()
        word = found and (found["quoted"] or found["word"])
        if not found or not word or (found["word"] and word.lower() in OPERATORS):
            raise self._make_error("a word, 'not' or '('")
        self._position = found.end()
        wanted = word.lower()
        return lambda texts: any(wanted in text.lower() for text in texts)

    def _take(self, token: str) -> bool:
        found = self._peek()
        if not found or (found["parenthesis"] or found["word"] or "").lower() != token:
            return False
        self._position = found.end()
        return True

    def _peek(self) -> re.Match[str] | None:
        """Return the next token, None at the end.

        :raise KeywordSyntaxError: for a quote that is empty or not closed.
        """
        found = TOKEN.match(self._text, self._position)
        if found or not self._text[self._position :].strip():
            return found
        raise KeywordSyntaxError(self._text, self._token_start(), "this quote is empty or not closed")

    def _token_start(self) -> int:
        rest = self._text[self._position :]
        return self._position + len(rest) - len(rest.lstrip())

    def _make_error(self, what: str) -> KeywordSyntaxError:
        return KeywordSyntaxError(self._text, self._token_start(), f"expected {what} here")
