"""Names of JSON types, as messages use them."""

from __future__ import annotations

TYPE_NAMES = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "NoneType": "null",
    "list": "a list",
    "dict": "a mapping",
}


def type_name(value: object) -> str:
    """Return the JSON name of a value's type, with its article."""
    return TYPE_NAMES.get(type(value).__name__, type(value).__name__)
