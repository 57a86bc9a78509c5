"""Wrap standard output and standard error, with colours and a status line on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from run_scenarios.report.colours import colour_message_line, colour_tap_line, colours_allowed, colours_forced
from run_scenarios.report.screen import Screen
from run_scenarios.report.stream import ClosedWriter, DescriptorWriter, LineStream, TextWriter, leave_plain


def wrap_stdout(stream: TextIO | None, environment: Mapping[str, str]) -> LineStream:
    """Return the stream for the report, in colours only on a terminal: elsewhere a program reads it.

    :param stream: None if it was closed when the program started; then writing to it is an error.
    """
    if stream is None:
        return LineStream(ClosedWriter("<stdout>"))
    is_terminal = stream.isatty()
    paint = colour_tap_line if is_terminal and colours_allowed(environment) else leave_plain
    return LineStream(_unwrap(stream, "utf-8", "replace"), paint, is_terminal=is_terminal)


def wrap_stderr(stream: TextIO | None, environment: Mapping[str, str]) -> LineStream:
    """Return the stream for people; on a terminal that supports it, one with a status line.

    :param stream: None if it was closed when the program started; then what is written to it is dropped.
    """
    if stream is None:
        closed = LineStream(ClosedWriter("<stderr>"))
        closed.closed = True
        return closed
    is_terminal = stream.isatty()
    colours = (is_terminal and colours_allowed(environment)) or colours_forced(environment)
    paint = colour_message_line if colours else leave_plain
    writer = _unwrap(stream, stream.encoding, "backslashreplace")
    if is_terminal and environment.get("TERM", "dumb") != "dumb":
        return Screen(writer, paint)
    return LineStream(writer, paint, is_terminal=is_terminal)


def _unwrap(stream: TextIO, encoding: str, errors: str) -> TextWriter:
    """Return a writer for the descriptor of a stream, or the stream itself if it has none."""
    try:
        return DescriptorWriter(stream.fileno(), stream.name, encoding, errors)
    except OSError:
        return stream
