"""Read command lines as QEMU and its tools do: options, their values, and option lists such as `a,key=value`.

Sources: getopt_long(3), and QEMU's util/keyval.c and util/qemu-option.c.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.nodes import Node, ScalarNode, SequenceNode
from run_scenarios.core.source import Span
from run_scenarios.scenario.confinement.values import (
    INSIDE_HINT,
    Escapes,
    check_block_option,
    check_device_option,
    check_value,
)

Check = Callable[[str, Span], Escapes]
OptionCheck = Callable[[str, object, Span], Escapes]
Options = dict[str, Check | None]
"""By name, without its dashes, what an option's value is; None for an option that takes none."""
COMMA = re.compile(r"(?<!,)(?:,,)*,(?!,)")


@dataclass(frozen=True)
class Word:
    """One word of a command line; `text` is None where only a running case will know it."""

    text: str | None
    span: Span


@dataclass(frozen=True)
class Option:
    """An option as it was given; `value` is None if it takes none."""

    name: str
    value: Word | None
    check: Check | None


@dataclass(frozen=True)
class CommandLine:
    """The options and operands of a command line, and what is wrong with it."""

    options: tuple[Option, ...]
    operands: tuple[Word, ...]
    problems: tuple[Diagnostic, ...]

    def has(self, *names: str) -> bool:
        """Tell whether one of these options was given."""
        return any(option.name in names for option in self.options)

    def find_escapes(self) -> Escapes:
        """Find what leads outside in the options' values, and the options that are not on the list."""
        yield from self.problems
        for option in self.options:
            if option.check and option.value and option.value.text is not None:
                yield from option.check(option.value.text, option.value.span)


def read_words(node: Node | None) -> list[Word]:
    """Return the words of a list."""
    items = node.items if isinstance(node, SequenceNode) else ()
    return [Word(str(item.value) if isinstance(item, ScalarNode) else None, item.span) for item in items]


def parse_qemu(words: Sequence[Word], known: Options) -> CommandLine:
    """Read words as qemu-system does: one or two dashes, the value in the next word."""
    reader = _Reader(words, known)
    while word := reader.next():
        if word.text is None or not word.text.startswith("-") or word.text == "-":
            reader.operands.append(word)
        else:
            reader.take(re.sub("^--?", "", word.text), word, None)
    return reader.result()


def parse_getopt(words: Sequence[Word], known: Options, *, stop_at_operand: bool = False) -> CommandLine:
    """Read words as getopt_long does, but for abbreviations of long options, which are refused.

    :param stop_at_operand: leave all that follows the first operand to whoever reads that: a subcommand.
    """
    reader = _Reader(words, known)
    while word := reader.next():
        text = word.text
        if text == "--":
            reader.take_rest()
        elif text is None or not text.startswith("-") or text == "-":
            reader.operands.append(word)
            if stop_at_operand:
                reader.take_rest()
        elif text.startswith("--"):
            name, equals, value = text[2:].partition("=")
            reader.take(name, word, Word(value, word.span) if equals else None)
        else:
            reader.take_letters(text[1:], word)
    return reader.result()


class _Reader:
    """Takes words from the left."""

    def __init__(self, words: Sequence[Word], known: Options) -> None:
        self._words = list(words)
        self._known = known
        self.options: list[Option] = []
        self.operands: list[Word] = []
        self._problems: list[Diagnostic] = []

    def next(self) -> Word | None:
        """Take the next word."""
        return self._words.pop(0) if self._words else None

    def take_rest(self) -> None:
        """Take all that is left as operands."""
        self.operands += self._words
        self._words.clear()

    def take(self, name: str, word: Word, value: Word | None) -> None:
        """Take an option, and the next word if it needs that as its value."""
        if name not in self._known:
            message = f"option '{word.text}' is not on the list of those that stay inside the case's directory"
            self._problems.append(Diagnostic(word.span, message, did_you_mean(name, self._known, INSIDE_HINT)))
            return
        check = self._known[name]
        if check is not None and value is None:
            value = self.next()
        self.options.append(Option(name, value, check))

    def take_letters(self, letters: str, word: Word) -> None:
        """Take short options in one word; the rest of the word is the value of the first that takes one."""
        for index, letter in enumerate(letters):
            rest = letters[index + 1 :]
            if self._known.get(letter) is not None and rest:
                self.take(letter, word, Word(rest, word.span))
                return
            self.take(letter, word, None)

    def result(self) -> CommandLine:
        """Return what was read."""
        return CommandLine(tuple(self.options), tuple(self.operands), tuple(self._problems))


def split_option_list(text: str, implied: str = "") -> Iterator[tuple[str, str]]:
    """Yield the keys and values of `a,key=value,…`, where a doubled comma is a comma.

    :param implied: the key of a first item without `=`; any other item without one is a flag.
    """
    start = 0
    for index, end in enumerate([*(match.end() - 1 for match in COMMA.finditer(text)), len(text)]):
        key, equals, value = text[start:end].replace(",,", ",").partition("=")
        start = end + 1
        if equals:
            yield key, value
        elif key:
            yield (implied, key) if index == 0 and implied else (key, "on")


def make_option_list_check(implied: str, checks: Mapping[str, Check], otherwise: OptionCheck = check_value) -> Check:
    """Return the check of an option list.

    :param checks: what the values of these keys are.
    :param otherwise: checks the options with any other key.
    """

    def check_option_list(text: str, span: Span) -> Escapes:
        for key, value in split_option_list(text, implied):
            yield from checks[key](value, span) if key in checks else otherwise(key, value, span)

    return check_option_list


def allow_json(check: Check, check_object: Check) -> Check:
    """Return the check of a value that is either JSON, which begins with `{`, or an option list."""

    def check_either(text: str, span: Span) -> Escapes:
        yield from check_object(text, span) if text.startswith("{") else check(text, span)

    return check_either


check_block_list = make_option_list_check("driver", {}, check_block_option)
check_device_list = make_option_list_check("driver", {}, check_device_option)
check_object_list = make_option_list_check("qom-type", {}, check_block_option)
