"""`-k EXPRESSION`: words with `and`, `or`, `not` and parentheses. Imports nothing of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

MAX_DEPTH = 50
TOKEN = re.compile(r'\s*(?:(?P<parenthesis>[()])|"(?P<quoted>[^"]+)"|(?P<word>[^\s()"]+))')
OPERATORS = ("and", "or", "not")

KeywordMatcher = Callable[[Iterable[str]], bool]
"""Tells whether a case fits, by the texts that belong to it: its name and its tags."""


class KeywordSyntaxError(ValueError):
    """An expression cannot be read; the text shows where."""

    def __init__(self, text: str, position: int, message: str) -> None:
        super().__init__(f"{message}\n    {text}\n    {' ' * position}^")


def parse_keyword_expression(text: str) -> KeywordMatcher:
    """Return what an expression asks for; a word fits a text that contains it, whatever the case of letters.

    `not` binds closest, then `and`, then `or`, as in pytest's `-k`. A word in double quotes may hold anything.

    :raise BadKeywords: if the expression cannot be read.
    """
    return _Parser(text).parse()


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0

    def parse(self) -> KeywordMatcher:
        wanted = self._either()
        if self._peek():
            raise self._expected("'and' or 'or'")
        return wanted

    def _either(self) -> KeywordMatcher:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return lambda texts: any(part(texts) for part in parts)

    def _both(self) -> KeywordMatcher:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return lambda texts: all(part(texts) for part in parts)

    def _one(self) -> KeywordMatcher:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise KeywordSyntaxError(self._text, self._position, "nested too deep")
        try:
            if self._take("not"):
                wrong = self._one()
                return lambda texts: not wrong(texts)
            if self._take("("):
                return self._enclosed()
            return self._word()
        finally:
            self._depth -= 1

    def _enclosed(self) -> KeywordMatcher:
        inner = self._either()
        if not self._take(")"):
            raise self._expected("'and', 'or' or ')'")
        return inner

    def _word(self) -> KeywordMatcher:
        found = self._peek()
        word = found and (found["quoted"] or found["word"])
        if not found or not word or (found["word"] and word.lower() in OPERATORS):
            raise self._expected("a word, 'not' or '('")
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

        :raise BadKeywords: for a quote that nothing closes.
        """
        found = TOKEN.match(self._text, self._position)
        if found or not self._text[self._position :].strip():
            return found
        raise KeywordSyntaxError(self._text, self._next(), "this quote is not closed, or holds nothing")

    def _next(self) -> int:
        rest = self._text[self._position :]
        return self._position + len(rest) - len(rest.lstrip())

    def _expected(self, what: str) -> KeywordSyntaxError:
        return KeywordSyntaxError(self._text, self._next(), f"expected {what} here")
