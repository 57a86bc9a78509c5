"""Names of JSON types, as messages use them."""

from __future__ import annotations

from types import NoneType

TYPE_NAMES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "null": "null",
    "array": "a list",
    "object": "a mapping",
}
"""By the names that JSON Schema gives the types."""
_TYPES: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
    list: "array",
    dict: "object",
}


def type_name(value: object) -> str:
    """Return the name of the JSON type of a value, with its article; the Python name of any other type."""
    kind = type(value)
    return TYPE_NAMES[_TYPES[kind]] if kind in _TYPES else kind.__name__
