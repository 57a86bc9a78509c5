"""Write the lines of the script that compare a value with the recorded and with the expected one."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

MAX_TEXT = 4000
"""Characters of an output or a reply that is compared as a whole."""
Condition = tuple[str, str]
"""An operator and its operand, as `accepts` in functions.bash takes them."""
UNKNOWN: Condition = ("unknown", "")
NAMING_KEYS = ("name", "id", "node-name", "device")


@dataclass(frozen=True)
class _Occurrence:
    """A scalar that stands under a key somewhere in a JSON document.

    :param path: the keys and indices that lead to it.
    :param siblings: the mapping that holds it.
    """

    path: tuple[str | int, ...]
    value: Any
    siblings: dict[str, Any]


def judge_value(variable: str, document: Any, path: str, difference: Any, rendered: str) -> list[str]:
    """Return the line that judges a value in a JSON text, none if the place of the value is not clear.

    :param variable: the shell variable that holds the text.
    :param document: the recorded JSON.
    :param path: the path of the value, perhaps within a part of the document.
    :param rendered: the step as it ran: what it names tells objects apart.
    """
    parts = _parse_path(path) or ("return",)
    key = parts[-1]
    if not isinstance(key, str):
        return []
    occurrences = [each for each in _walk(document) if each.path[-1] == key]
    pattern, (operator, operand) = f'"{_escape_regex(key)}": ', make_condition(difference["expected"])
    words = [f'"${variable}"', shlex.quote(pattern)]
    if "found" not in difference:
        return [] if occurrences else [f"failed_if_missing {' '.join(words)} {shlex.join((operator, operand))}"]
    place = _find_place(occurrences, parts, difference["found"], rendered)
    if place is None or (operator == "absent" and len(occurrences) > 1):
        return []
    found = json.dumps(occurrences[place].value)
    numbers = [str(place), str(len(occurrences))]
    return [f"failed_if_value {' '.join(words)} {shlex.join([*numbers, found, operator, operand])}"]


def judge_text(variable: str, difference: Any) -> list[str]:
    """Return the line that judges a text or number in a shell variable, none if it is not known or too long."""
    found = difference.get("found")
    if isinstance(found, bool) or not isinstance(found, str | int) or len(str(found)) > MAX_TEXT:
        return []
    operator, operand = make_condition(difference["expected"], as_json=False)
    return [f'failed_if_text "${variable}" {shlex.join([str(found).strip(), operator, operand])}']


def judge_whole(variable: str, recorded: str) -> list[str]:
    """Return the line that judges a whole reply or output, none if it is too long.

    What is the same fails as recorded; what differs cannot be judged.
    """
    text = " ".join(recorded.split())
    return [f'failed_if_same "${variable}" {shlex.quote(text)}'] if len(text) <= MAX_TEXT else []


def write_conditions(error: Any, keys: Sequence[str]) -> list[str]:
    """Return the words of `meets` for an expected error: a variable, an operator and an operand for each key.

    :param error: the matcher of the modifier `error`.
    :param keys: the keys of the reply that the script has as variables.
    """
    if not isinstance(error, dict) or not error or not set(error) <= set(keys):
        return ["unknown", *UNKNOWN]
    return [word for key in error for word in (key, *make_condition(error[key], as_json=False))]


def make_condition(expected: Any, *, as_json: bool = True) -> Condition:
    """Convert a matcher to a condition that the script can test.

    :param as_json: whether strings are compared as JSON, with quotes and escapes.
    """
    if not isinstance(expected, dict | list):
        return "is", _to_text(expected, as_json=as_json)
    if not isinstance(expected, dict) or len(expected) != 1:
        return UNKNOWN
    ((operator, operand),) = expected.items()
    name, is_scalar = operator.removeprefix("$"), not isinstance(operand, dict | list)
    match name:
        case "any" | "absent":
            return name, ""
        case "exact" | "not" | "ne" if is_scalar:
            return "is" if name == "exact" else "ne", _to_text(operand, as_json=as_json)
        case "gt" | "ge" | "lt" | "le" if isinstance(operand, int):
            return name, str(operand)
        case "contains" if isinstance(operand, str):
            return name, _to_text(operand, as_json=as_json).strip('"') if as_json else operand
        case _:
            return UNKNOWN


def _to_text(value: Any, *, as_json: bool) -> str:
    return value.strip() if isinstance(value, str) and not as_json else json.dumps(value)


def _parse_path(path: str) -> tuple[str | int, ...]:
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", path)
    return tuple(int(index) if index else key for index, key in parts)


def _walk(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[_Occurrence]:
    """Yield the scalars of a document that stand under keys, in the order of its text."""
    children = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in children:
        below = (*path, key)
        if isinstance(value, dict | list):
            yield from _walk(value, below)
        elif isinstance(document, dict):
            yield _Occurrence(below, value, document)


def _find_place(
    occurrences: Sequence[_Occurrence], path: tuple[str | int, ...], found: Any, rendered: str
) -> int | None:
    """Return the index of the value that was found, None if it may be one of several."""
    places = [
        index
        for index, each in enumerate(occurrences)
        if each.path[-len(path) :] == path and _is_same(each.value, found)
    ]
    named = [index for index in places if _is_named_in(rendered, occurrences[index])]
    places = named or places
    siblings = [occurrences[index].siblings for index in places]
    return places[0] if places and all(each == siblings[0] for each in siblings) else None


def _is_same(value: Any, found: Any) -> bool:
    """Tell whether a value is the one that was found; the human monitor ends lines with CR LF."""
    if isinstance(value, str) and isinstance(found, str):
        return value.replace("\r\n", "\n") == found
    return type(value) is type(found) and bool(value == found)


def _is_named_in(rendered: str, occurrence: _Occurrence) -> bool:
    names = (occurrence.siblings.get(key) for key in NAMING_KEYS)
    return any(isinstance(name, str) and json.dumps(name) in rendered for name in names)


def _escape_regex(text: str) -> str:
    """Return a POSIX extended regular expression that matches a text."""
    return re.sub(r"([\\.^$*+?()\[\]{}|])", r"\\\1", text)
