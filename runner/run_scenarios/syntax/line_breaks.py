"""Have libyaml, which reads YAML 1.1, take U+0085, U+2028 and U+2029 for the ordinary characters of YAML 1.2.

Source: YAML 1.2.2, section 5.4.
"""

from __future__ import annotations

from itertools import islice

NOT_LINE_BREAKS = "\x85\u2028\u2029"
UNUSUAL = range(0x10FFFD, 0xFFFF, -1)
"""Code points that libyaml allows everywhere; there are more of them than a file of a megabyte can contain."""


def replace_unicode_breaks(text: str) -> tuple[str, dict[int, int]]:
    """Return the text that libyaml is to read, and the table for `str.translate` that undoes the replacement.

    Each character is replaced by one that the text does not contain, so every position stays the same.
    """
    present = "".join(char for char in NOT_LINE_BREAKS if char in text)
    if not present:
        return text, {}
    used = set(text)
    unused = (chr(code) for code in UNUSUAL if chr(code) not in used)
    stand_ins = "".join(islice(unused, len(present)))
    return text.translate(str.maketrans(present, stand_ins)), str.maketrans(stand_ins, present)
