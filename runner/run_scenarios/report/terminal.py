"""Wrap standard output and standard error, with colours and a status line on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO

from run_scenarios.report.colours import colour_message_line, colour_tap_line, colours_allowed, colours_forced
from run_scenarios.report.screen import Screen
from run_scenarios.report.stream import LineStream, leave_plain


def wrap_stdout(stream: IO[str], environment: Mapping[str, str]) -> LineStream:
    """Return the stream for the report, in colours only on a terminal: elsewhere a program reads it."""
    is_terminal = stream.isatty()
    paint = colour_tap_line if is_terminal and colours_allowed(environment) else leave_plain
    return LineStream(stream, paint, is_terminal=is_terminal)


def wrap_stderr(stream: IO[str], environment: Mapping[str, str]) -> LineStream:
    """Return the stream for people; on a terminal that supports it, one with a status line."""
    is_terminal = stream.isatty()
    colours = (is_terminal and colours_allowed(environment)) or colours_forced(environment)
    paint = colour_message_line if colours else leave_plain
    if is_terminal and environment.get("TERM", "dumb") != "dumb":
        return Screen(stream, paint)
    return LineStream(stream, paint, is_terminal=is_terminal)
