"""Texts that are easy to write incorrectly in TAP, YAML and XML."""

from __future__ import annotations

import random
from collections.abc import Iterator

PIECES = [
    *"abc012 #\\\"'\n\t\r:-{}[]&*!|>%@`,?~.=/",
    "...",
    "\n---",
    "\n\n",
    "\nnot ok 1 x",
    "\n1..3",
    "\nBail out! z",
    "# TODO",
    "# SKIP",
    ": ",
    " #",
    "\x00",
    "\x1b[1m",
    "\x85",
    "\u2028",
    "\u3000",
    "\ufeff",
    "\ufffe",
    "\xa0",
    "\x7f",
    "é",
    "日",
    "🎉",
    "\U0001fae8",
    "\udcff",
]


def hostile_texts(count: int) -> Iterator[str]:
    """Yield texts made of hostile pieces, the same in each run."""
    source = random.Random(7)
    for _ in range(count):
        yield "".join(source.choice(PIECES) for _ in range(source.randrange(1, 25)))
