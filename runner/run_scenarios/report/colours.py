"""Colour the lines of a report by their beginning.

Source: ECMA-48, SGR; the conventions of no-color.org and bixense.com/clicolors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

RED, GREEN, YELLOW, BOLD, DIM = "31", "32", "33", "1", "2"
TAP = [
    (re.compile(r"not ok \d+ .* # TODO "), YELLOW),
    (re.compile(r"ok \d+ .* # SKIP "), YELLOW),
    (re.compile(r"not ok |Bail out!"), RED),
    (re.compile(r"ok "), GREEN),
    (re.compile(r"# "), BOLD),
    (re.compile(r" |TAP version|1\.\."), DIM),
]
WARNING = re.compile(r"\S+:\d+:\d+: (warning|known failure)\b")
CARET = re.compile(r" +\| +\^")
SUMMARY_GOOD = re.compile(r"\d+ cases?: (?!.*(failed|not run))")
FAILURE = re.compile(r"\S+:\d+:\d+: [a-z-]+: |failed:|rounds that failed:|\d+ cases?: |run-scenarios: error: ")


def colours_allowed(environment: Mapping[str, str]) -> bool:
    """Return whether colours may be used on a terminal."""
    return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def colours_forced(environment: Mapping[str, str]) -> bool:
    """Return whether colours are used even without a terminal."""
    forced = (environment.get(name, "") for name in ("FORCE_COLOR", "CLICOLOR_FORCE"))
    return colours_allowed(environment) and any(value not in ("", "0", "false") for value in forced)


def colour_tap_line(line: str) -> str:
    """Colour a line of a TAP report."""
    return next((_paint(colour, line) for pattern, colour in TAP if pattern.match(line)), line)


def colour_message_line(line: str) -> str:
    """Colour a line of standard error."""
    if WARNING.match(line):
        return _paint(YELLOW, line)
    if CARET.match(line) or SUMMARY_GOOD.match(line):
        return _paint(GREEN, line)
    return _paint(RED, line) if FAILURE.match(line) else line


def _paint(colour: str, line: str) -> str:
    return f"\x1b[{colour}m{line}\x1b[0m"
