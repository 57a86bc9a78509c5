"""Parse sizes such as 64k."""

from __future__ import annotations

import re

MAX_SIZE = (1 << 63) - 1
SIZE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*(?:([kKMGTPE])(?:i?B)?|[bB])?")


def parse_byte_size(text: str) -> int:
    """Return the bytes in `512`, `64k`, `1.5M` or `64KiB`; suffixes are powers of 1024, as in qemu-img's manual.

    :raise ValueError: for anything else, and for a fraction of a byte.
    """
    found = SIZE.fullmatch(text)
    if not found:
        raise ValueError(f"'{text}' is not a size")
    number, suffix = found.groups()
    shift = 10 * (1 + "kMGTPE".index(suffix.replace("K", "k"))) if suffix else 0
    size = int(number) << shift if number.isdigit() else float(number) * (1 << shift)
    if size != int(size):
        raise ValueError(f"'{text}' is not a whole number of bytes")
    if size > MAX_SIZE:
        raise ValueError(f"'{text}' is more than QEMU can count, 2^63 - 1 bytes")
    return int(size)
