"""The entry point of `run-scenarios`: parse the command line and run the chosen mode."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from run_scenarios.cli.exit_codes import CANNOT_RUN, WRONG_USAGE
from run_scenarios.cli.parser import make_parser, parse_arguments

if TYPE_CHECKING:
    from run_scenarios.cli.options import Options
    from run_scenarios.report.stream import LineStream

STANDARD_ERROR = 2
MODES = {
    "run": "run_cases",
    "list": "list_cases",
    "check": "check_files",
    "save_qmp_schema": "save_schema",
    "new": "new_file",
    "explain": "explain_word",
    "print_schema": "print_schema",
    "print_reference": "print_reference",
    "print_rules": "print_rules",
    "print_completion": "print_completion",
}
"""The module of each mode, imported only when needed: `--help` imports none of them."""


class Mode(Protocol):
    """A module of a mode."""

    def execute(self, options: Options, stdout: LineStream, stderr: LineStream) -> int:
        """Run the mode, and return the exit status."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; see `run_scenarios.cli.exit_codes`."""
    if arguments is None:
        _require_utf8_mode()
    if "_ARGCOMPLETE" in os.environ:
        from run_scenarios.cli.completion import complete

        complete(make_parser())
    parsed = parse_arguments(arguments)
    from run_scenarios.cli.options import make_options
    from run_scenarios.core.signals import Interrupted, raise_on_stop_signals
    from run_scenarios.report.terminal import wrap_stderr, wrap_stdout

    _reserve_standard_descriptors()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n", errors="replace")
    stdout, stderr = wrap_stdout(sys.stdout, os.environ), wrap_stderr(sys.stderr, os.environ)
    if _is_current_directory_deleted():
        stderr.write("run-scenarios: error: the current directory has been deleted")
        return CANNOT_RUN
    try:
        with raise_on_stop_signals():
            mode = cast(Mode, importlib.import_module(f"run_scenarios.cli.{MODES[parsed.mode]}"))
            return mode.execute(make_options(parsed), stdout, stderr)
    except Interrupted as stop:
        return stop.exit_status
    except Exception as error:
        return _report_error(error, stderr)


def _require_utf8_mode() -> None:
    """Start again in Python's UTF-8 mode where the locale has another encoding.

    QMP is UTF-8 and file names are bytes: names that were encoded as the locale says would be others for QEMU.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _is_current_directory_deleted() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _reserve_standard_descriptors() -> None:
    """Open /dev/null in place of closed standard streams, so that no other file takes their numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
        pass
    os.close(descriptor)


def _report_error(error: Exception, stderr: LineStream) -> int:
    from run_scenarios.cli.reporters import EXTERNAL_ERRORS, describe_abort
    from run_scenarios.core.errors import UsageError

    is_external = isinstance(error, EXTERNAL_ERRORS)
    stderr.write(f"run-scenarios: error: {describe_abort(error)}" if is_external else _format_bug_report(error))
    return WRONG_USAGE if isinstance(error, UsageError) else CANNOT_RUN


def _format_bug_report(error: Exception) -> str:
    import platform
    import shlex
    import traceback

    from run_scenarios import __version__
    from run_scenarios.cli.reporters import describe_abort

    return "\n".join(
        [
            f"run-scenarios: {describe_abort(error)}",
            "This is a bug in run-scenarios, not in the scenario or in QEMU. Please report it with everything below.",
            f"  command: {shlex.join(sys.argv)}",
            f"  version: {__version__}, Python {platform.python_version()}, {platform.platform()}",
            "".join(traceback.format_exception(error)).rstrip(),
        ]
    )
