"""Load YAML into nodes with positions.

Only the types of the YAML 1.2 core schema are resolved: `on`, `off`, `yes` and `no`, which are common in QAPI, are
strings, `0644` is decimal, and `1:30` is a string. Source: YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from run_scenarios.core.diagnostics import did_you_mean
from run_scenarios.core.errors import ScenarioError, scenario_error
from run_scenarios.core.nodes import (
    Entry,
    ExpressionNode,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    make_mapping,
    make_sequence,
)
from run_scenarios.core.source import Source, Span, find_end, make_span
from run_scenarios.syntax.line_breaks import replace_unicode_breaks

MAX_FILE_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_NODES = 50_000
MAX_DIGITS = 40

INTEGER = re.compile(r"[-+]?[0-9]+")
OCTAL = re.compile(r"0o[0-7]+")
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_JSON = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
NUMBER_BEGINS = frozenset("+-.0123456789")
PLAIN = ""
STRING_TAG = "tag:yaml.org,2002:str"
ALIGN = "entries of one mapping, and items of one list, begin in the same column"
UNFINISHED = {
    "found unexpected end of stream": "this quote is not closed",
    "did not find expected ',' or '}'": "this '{}' is not closed, or a ',' is missing further down",
    "did not find expected ',' or ']'": "this '{}' is not closed, or a ',' is missing further down",
    "could not find expected ':'": "is a ':' missing after this?",
    "did not find expected alphabetic or numeric character": "quote a text that begins with '{}'",
}
"""Hints for errors that libyaml notices lines after the construct to be fixed; they are shown at its start."""
TOO_DEEP = "exceeded maximum nesting depth"
"""libyaml looks ahead and raises this before the builder has received the events to count."""
QUOTE_IT = 'an expression must be quoted: "{{ … }}"'
UNQUOTED = "RS002"
"""The lint rule about expressions without quotes, most of which are not valid YAML."""


def load_file(path: Path, shown_as: str) -> Node:
    """Return the content of one YAML file.

    :param shown_as: the name that messages give the file.
    :raise ScenarioError: if the file cannot be read, is not UTF-8, or is not valid.
    """
    return load_text(read_source(path, shown_as))


def load_text(source: Source) -> Node:
    """Return the one YAML document in `source`.

    :raise ScenarioError: for bad syntax, a duplicate key, a key that is not a string, a tag, a second document,
        or a document that is too large or nested too deep.
    """
    try:
        return _build(source, *replace_unicode_breaks(source.text))
    except yaml.reader.ReaderError as error:
        raise _bad_character(source, error) from None
    except yaml.MarkedYAMLError as error:
        raise _bad_syntax(source, error) from None


def _build(source: Source, text: str, restored: dict[int, int]) -> Node:
    """Return the document in `text`, the beginning of `source` or all of it.

    :param restored: the characters of `source` that others stand for in `text`.
    """
    try:
        return _Builder(source, restored).build(yaml.CSafeLoader(text).get_event)
    except yaml.MarkedYAMLError as error:
        if error.problem != TOO_DEEP or error.problem_mark is None:
            raise
        # The builder reports the position at which this becomes too deep for a scenario.
        return _build(source, text[: error.problem_mark.index], restored)


def read_source(path: Path, shown_as: str) -> Source:
    """Return the text of a file.

    :raise ScenarioError: if the file cannot be read, is too large, or is not UTF-8.
    """
    empty = Source(shown_as, "")
    try:
        with open(path, "rb", opener=_open_nonblocking) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise scenario_error(Span(empty, 1, 1), "not a regular file", "save the scenario as a file")
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise scenario_error(Span(empty, 1, 1), f"cannot read the file: {error.strerror}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise scenario_error(Span(empty, 1, 1), f"the file is larger than {MAX_FILE_BYTES >> 20} MiB")
    try:
        return Source(shown_as, raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        source = Source(shown_as, raw.decode("utf-8", "replace"))
        raise scenario_error(
            Span(source, *find_end(before)), f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8"
        ) from None


def _open_nonblocking(path: str, flags: int) -> int:
    """Open a file without waiting for the writer of a FIFO or taking over a terminal."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _bad_character(source: Source, error: yaml.reader.ReaderError) -> ScenarioError:
    # libyaml counts bytes here, and characters elsewhere.
    text, _ = replace_unicode_breaks(source.text)
    before = text.encode()[: error.position].decode()
    code = ord(source.text[len(before)])
    escape = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    span = Span(source, *find_end(before))
    return scenario_error(span, "YAML does not allow this control character", f'write it as "{escape}", in quotes')


def _bad_syntax(source: Source, error: yaml.MarkedYAMLError) -> ScenarioError:
    problem = error.problem or "bad syntax"
    mark = error.context_mark if _is_noticed_late(source, error) else error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    text = source.line(line)
    while line > 1 and not text.strip():
        line -= 1
        text = source.line(line)
        column = len(text) + 1
    hint = _suggest_fix(problem, text, column, source.line(line - 1))
    code = UNQUOTED if hint == QUOTE_IT else ""
    return scenario_error(Span(source, line, column), f"not valid YAML: {problem}", hint, code)


def _is_noticed_late(source: Source, error: yaml.MarkedYAMLError) -> bool:
    """Tell whether to show a syntax error at the start of its construct, because the problem lies outside it."""
    begin, end = error.context_mark, error.problem_mark
    if begin is None or end is None or error.problem not in UNFINISHED:
        return False
    first, last = source.line(begin.line + 1), source.line(end.line + 1)
    outside = not last.strip() or _count_indentation(last) <= _count_indentation(first)
    return outside and (begin.line < end.line or "alphabetic" in str(error.problem))


def _count_indentation(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _suggest_fix(problem: str, text: str, column: int, above: str) -> str:
    """Return the most likely fix, judging by libyaml's message and the line on which the error is shown."""
    before, at = text[: column - 1], text[column - 1 : column]
    if re.search(r"(?<![\"'\w{])\{\{", text):
        return QUOTE_IT
    if "\t" in text[:column]:
        return "indent with spaces, not with tabs"
    if problem in UNFINISHED:
        at_start = at in tuple("[{\"'*&") or "':'" in problem
        return UNFINISHED[problem].format(at) if at_start else "is a ',' missing before this?"
    if "mapping values are not allowed" in problem:
        if ": " in before:
            return "quote a text that has ': ' in it"
        return ALIGN if ": " in above or above.endswith(":") else "is a ': ' missing in the line above?"
    if "expected key" in problem or "'-' indicator" in problem:
        return ALIGN if not before.strip(" -") else f"quote the whole text, or remove the '{at}'"
    if "cannot start any token" in problem:
        return f"quote a text that begins with '{at}'"
    if "escape" in problem:
        return "in double quotes write '\\\\' for a backslash, or use single quotes"
    return ""


_Open = tuple[Any, Span, int, list[Node]]
"""An open sequence or mapping: its start event, its span, the number of nodes before it, its items so far."""


class _Builder:
    """Builds nodes from libyaml's events, and limits their depth and number, expanded aliases included.

    Events are `Any` because the types of PyYAML declare attributes optional that libyaml always sets.
    """

    def __init__(self, source: Source, restored: dict[int, int]) -> None:
        self._source = source
        self._restored = restored
        self._open: list[_Open] = []
        self._anchors: dict[str | None, tuple[Node, int]] = {}
        self._nodes = 0

    def build(self, next_event: Callable[[], Any]) -> Node:
        root: Node | None = None
        for event in iter(next_event, None):
            kind = type(event)
            if kind is ScalarEvent:
                node = self._make_scalar(event)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                self._open_collection(event)
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                node = self._close_collection()
            elif kind is AliasEvent:
                node = self._resolve_alias(event)
            elif kind is DocumentStartEvent and root is not None:
                raise scenario_error(
                    self._make_span(event), "a second document: a file holds one scenario", "split the file"
                )
            else:
                continue
            if self._open:
                self._open[-1][-1].append(node)
            else:
                root = node
        if root is None or (isinstance(root, ScalarNode) and root.value is None):
            raise scenario_error(Span(self._source, 1, 1), "the file is empty", "begin with 'scenario: a title'")
        return root

    def _open_collection(self, event: Any) -> None:
        start = event.start_mark
        span = make_span(self._source, start.line + 1, start.column + 1, 1)
        if event.tag is not None:
            self._refuse_tag(event, span)
        self._count_nodes(span, 1)
        if len(self._open) == MAX_DEPTH:
            raise scenario_error(span, f"nested more than {MAX_DEPTH} deep", "is a bracket too many?")
        self._open.append((event, span, self._nodes, []))

    def _close_collection(self) -> Node:
        event, span, before, items = self._open.pop()
        if type(event) is MappingStartEvent:
            node: Node = self._make_mapping(span, items)
        else:
            node = make_sequence(span, tuple(items))
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._nodes - before + 1)
        return node

    def _resolve_alias(self, event: AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            known = [str(anchor) for anchor in self._anchors]
            hint = did_you_mean(str(event.anchor), known, "an anchor, &name, comes before its first *name")
            raise scenario_error(self._make_span(event), f"unknown anchor '{event.anchor}'", hint)
        node, size = self._anchors[event.anchor]
        self._count_nodes(self._make_span(event), size)
        return node

    def _make_mapping(self, span: Span, items: list[Node]) -> MappingNode:
        entries: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        parts = iter(items)
        for key, value in zip(parts, parts, strict=True):
            name = key.value if isinstance(key, ScalarNode) and isinstance(key.value, str) else self._refuse_key(key)
            if name in entries:
                first = entries[name].span.line
                raise scenario_error(key.span, f"duplicate key '{name}'", f"first given on line {first}")
            if name != "<<":
                entries[name] = Entry(key.span, name, value)
            elif not merged:
                merged = self._merge(value)
            else:
                raise scenario_error(key.span, "a second '<<' in one mapping", "merge several as '<<: [*one, *two]'")
        kept = [entry for name, entry in merged.items() if name not in entries] if merged else ()
        return make_mapping(span, (*kept, *entries.values()))

    def _refuse_key(self, key: Node) -> NoReturn:
        """Raise the error for a key that is not a string."""
        if isinstance(key, ExpressionNode):
            raise scenario_error(key.span, "a mapping key cannot be an expression")
        if isinstance(key, ScalarNode):
            raise scenario_error(key.span, "a mapping key must be a string", "put it in quotes")
        braces = self._source.line(key.span.line)[key.span.column - 2 :].startswith("{{")
        hint, code = (QUOTE_IT, UNQUOTED) if braces else ("", "")
        raise scenario_error(key.span, "a mapping key must be a string", hint, code)

    def _merge(self, value: Node) -> dict[str, Entry]:
        parts = value.items if isinstance(value, SequenceNode) else (value,)
        merged: dict[str, Entry] = {}
        for part in parts:
            if not isinstance(part, MappingNode):
                raise scenario_error(part.span, "'<<' merges mappings only")
            merged = {**{entry.key: entry for entry in part}, **merged}
        return merged

    def _make_scalar(self, event: Any) -> Node:
        text, span = event.value, self._make_span(event)
        if self._restored:
            text = text.translate(self._restored)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._count_nodes(span, 0)
        if event.tag is not None:
            self._refuse_tag(event, span)
        if event.implicit[0] and event.tag is None and (text in CONSTANTS or text[0] in NUMBER_BEGINS):
            node = self._resolve_plain(text, span)
        else:
            node = ExpressionNode(span, text, event.style != PLAIN) if "{{" in text else ScalarNode(span, text)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, 1)
        return node

    def _resolve_plain(self, text: str, span: Span) -> Node:
        if text in CONSTANTS:
            return ScalarNode(span, CONSTANTS[text])
        if len(text) > MAX_DIGITS and (FLOAT.fullmatch(text) or OCTAL.fullmatch(text) or HEXADECIMAL.fullmatch(text)):
            raise scenario_error(
                span, f"a number of more than {MAX_DIGITS} characters", "put it in quotes if it is a string"
            )
        if INTEGER.fullmatch(text):
            return ScalarNode(span, int(text))
        if OCTAL.fullmatch(text) or HEXADECIMAL.fullmatch(text):
            return ScalarNode(span, int(text, 0))
        if FLOAT.fullmatch(text) and math.isfinite(float(text)):
            return ScalarNode(span, float(text))
        if NOT_JSON.fullmatch(text) or FLOAT.fullmatch(text):
            raise scenario_error(span, f"JSON has no number '{text}'", "put it in quotes if it is a string")
        return ScalarNode(span, text)

    def _count_nodes(self, span: Span, size: int) -> None:
        self._nodes += size
        if self._nodes > MAX_NODES:
            raise scenario_error(span, f"more than {MAX_NODES} values, aliases expanded", "split the file")

    def _refuse_tag(self, event: Any, span: Span) -> None:
        if event.tag != "!" and (event.tag != STRING_TAG or not isinstance(event, ScalarEvent)):
            shown = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise scenario_error(span, f"the tag '{shown}' is not supported", "only !!str is")

    def _make_span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        line, column = start.line, start.column
        width = end.column - column if line == end.line else 1
        return make_span(self._source, line + 1, column + 1, width or 1)
