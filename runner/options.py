"""The options of the command. Imports tools only, for `--help` is to be fast."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner import __version__
from runner.tools import TOOLS

if TYPE_CHECKING:
    from runner.programs import Programs


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, `sys.argv` by default; wrong usage ends the command with status 2."""
    parser = argparse.ArgumentParser(
        prog="run-scenarios",
        description="Run declarative test scenarios against QEMU's block layer, and report TAP on standard output.",
        epilog="TEST_DIR is where case directories are made. Exit status: 0 passed, 1 failed, 2 wrong usage or "
        "scenario, 3 cannot run, 5 nothing to run, 128+N stopped by signal N.",
    )
    for add in (_selection, _running, _reports, _debugging, _checking, _printing):
        add(parser)
    parser.add_argument("--version", action="version", version=f"run-scenarios {__version__}")
    options = parser.parse_args(arguments)
    _refuse_contradictions(parser, options)
    return options


def _selection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to run")
    group.add_argument("paths", nargs="*", metavar="PATH", help="a scenario file, a directory of them, or FILE::CASE")
    group.add_argument("--list", action="store_true", help="print the names of the cases, and run none")
    group.add_argument("--allow-outside", action="store_true", help="trust files that say 'allow-outside-paths'")
    group.add_argument("--allow-empty", action="store_true", help="finding nothing to run is no failure")


def _running(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how to run it")
    group.add_argument("-j", "--jobs", type=_positive, default=default_jobs(), help="cases at a time (%(default)s)")
    group.add_argument("--cluster", metavar="ADDRESS", help="run the cases on the workers of this Dask scheduler")
    for tool, variable in TOOLS.items():
        group.add_argument(f"--{tool}", metavar="PROG", help=f"the {tool} under test (else {variable}, else on PATH)")


def _reports(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reports")
    group.add_argument("--tap", type=Path, metavar="FILE", help="write the TAP report to FILE once it is complete")


def _debugging(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is kept")
    group.add_argument("--artifacts", type=Path, metavar="DIR", help="keep a directory per case, with its trace")
    group.add_argument("--keep", action="store_true", help="keep the images of every case too")


def _checking(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("checking without running")
    group.add_argument("--check", action="store_true", help="check everything, QMP included, and run nothing")
    group.add_argument("--strict", action="store_true", help="with --check: breaking a lint rule is an error")
    group.add_argument("--qmp-schema", type=Path, metavar="FILE", help="check QMP by this file, not by the QEMU here")
    group.add_argument("--save-qmp-schema", type=Path, metavar="FILE", help="write the file for --qmp-schema")


def _printing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("help for authors")
    group.add_argument("--new", type=Path, metavar="FILE", help="write a scenario to start from")
    group.add_argument("--explain", metavar="WORD", help="explain a lint rule, by its code, or a verb")
    group.add_argument("--print-schema", action="store_true", help="print the JSON Schema of scenario files")
    group.add_argument("--with-qmp", action="store_true", help="with --print-schema: and of the QMP of QEMU")
    group.add_argument("--print-reference", action="store_true", help="print the reference of all steps")
    group.add_argument("--print-rules", action="store_true", help="print the reference of all lint rules")


def _refuse_contradictions(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.cluster and options.keep:
        parser.error("--keep does not go with --cluster: the images are on the workers")
    if options.strict and not options.check:
        parser.error("--strict goes with --check")
    if options.with_qmp and not options.print_schema:
        parser.error("--with-qmp goes with --print-schema")
    prints = options.print_schema or options.print_reference or options.print_rules or options.explain is not None
    if not (options.paths or prints or options.new or options.save_qmp_schema):
        parser.error("no PATH given; try 'run-scenarios scenarios/'")


def programs_of(options: argparse.Namespace) -> Programs:
    """Find the programs under test.

    :raise SetupError: if one that was named cannot be run, or one that every run needs is not found.
    """
    from runner.programs import find_programs

    return find_programs(named_programs(options), os.environ)


def named_programs(options: argparse.Namespace) -> dict[str, str]:
    """Return the programs that options name, by tool."""
    named = {tool: getattr(options, tool.replace("-", "_")) for tool in TOOLS}
    return {tool: program for tool, program in named.items() if program}


def default_jobs() -> int:
    """Return how many cases to run at a time: two for each processor, for a case waits for the disk.

    Measured with 30 cases on two processors, medians of four runs: 5.7 s with two at a time, 5.4 with three, 4.6 with
    four; the bare processes and their QMP traffic alone show the same order.
    """
    return 2 * len(os.sched_getaffinity(0))


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1")
    return int(text)
