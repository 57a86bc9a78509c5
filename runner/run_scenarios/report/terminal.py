"""What the command's two streams can show: a terminal more than a pipe. Imports report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO

from run_scenarios.report.colours import may_colour, message_line, must_colour, tap_line
from run_scenarios.report.screen import Screen
from run_scenarios.report.stream import LineStream, unpainted


def standard_output(stream: IO[str], environment: Mapping[str, str]) -> LineStream:
    """Return the stream for the report: in colours on a terminal, and never elsewhere, for a program reads it there."""
    is_terminal = stream.isatty()
    paint = tap_line if is_terminal and may_colour(environment) else unpainted
    return LineStream(stream, paint, is_terminal=is_terminal)


def standard_error(stream: IO[str], environment: Mapping[str, str]) -> LineStream:
    """Return the stream for people: on a terminal one that can be drawn on, unless that is too dumb for it."""
    is_terminal = stream.isatty()
    colours = (is_terminal and may_colour(environment)) or must_colour(environment)
    paint = message_line if colours else unpainted
    if is_terminal and environment.get("TERM", "dumb") != "dumb":
        return Screen(stream, paint)
    return LineStream(stream, paint, is_terminal=is_terminal)
