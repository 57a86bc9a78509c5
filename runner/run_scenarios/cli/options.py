"""The options of the command. Imports tools only, and the rest where it is needed, for `--help` is to be fast."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from run_scenarios import __version__
from run_scenarios.qemu.programs import TOOLS

if TYPE_CHECKING:
    pass

SHELLS = ("bash", "zsh", "fish")
REPORTS = ("tap", "junit", "html", "json")


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, `sys.argv` by default; wrong usage ends the command with status 2."""
    parser = make_parser()
    given = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(_unambiguous(given))
    options.command = shlex.join([parser.prog, *given])
    _refuse_contradictions(parser, options)
    if options.pause_on_failure or options.step:
        _refuse_nobody(parser, options)
        options.jobs = 1
    return options


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; abbreviated options are refused, for a new option would break them."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="run-scenarios",
        usage="%(prog)s [options] PATH ...",
        formatter_class=_formatter,
        description="Run declarative test scenarios against QEMU's block layer, and report TAP on standard output.",
        epilog="TEST_DIR is where case directories are made. Exit status: 0 passed, 1 failed, 2 wrong usage or "
        "scenario, 3 cannot run, 5 nothing to run, 128+N stopped by signal N.",
    )
    for add in (_selection, _running, _reports, _keeping, _debugging, _checking, _printing):
        add(parser)
    parser.add_argument("--version", action="version", version=f"run-scenarios {__version__}")
    return parser


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Return argparse's own, told how wide the terminal is; to ask, it would import ten modules."""
    try:
        columns = int(os.environ.get("COLUMNS", 0)) or os.get_terminal_size().columns
    except (OSError, ValueError):
        columns = 0
    return argparse.HelpFormatter(prog, width=(columns or 80) - 2)


def _unambiguous(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with no option left that could take the PATH behind it for its optional value."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    alone = {"--shuffle": "--shuffle=", "--changed": "--changed=HEAD"} | (
        {"--json": "--json=-"} if "--list" in arguments[:end] else {}
    )
    return [*(alone.get(each, each) for each in arguments[:end]), *arguments[end:]]


def _selection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to run")
    group.add_argument("paths", nargs="*", metavar="PATH", help="a scenario file, a directory of them, or FILE::CASE")
    group.add_argument(
        "--list", action="store_true", help="print the names of the cases, and run none; with --json too"
    )
    group.add_argument(
        "-k",
        type=_keywords,
        action="append",
        default=[],
        dest="keywords",
        metavar="EXPRESSION",
        help="cases whose name or tags contain these words: 'mirror and not (nbd or slow)'",
    )
    group.add_argument("--tag", action="append", default=[], help="cases with this tag, or another one so given")
    group.add_argument("--not-tag", action="append", default=[], metavar="TAG", help="cases without this tag")
    group.add_argument(
        "--changed",
        nargs="?",
        metavar="REV",
        help="cases whose file, or one it imports, is not as in HEAD; --changed=REV: as in this revision of git",
    )
    group.add_argument("--rerun-failed", action="store_true", help="cases that failed when last run in this directory")
    group.add_argument("--shard", type=_shard, metavar="I/N", help="part I of N parts of the cases, of like duration")
    group.add_argument(
        "--durations", type=Path, action="append", default=[], metavar="FILE", help="balance shards by these durations"
    )
    group.add_argument(
        "-D",
        type=_definition,
        action="append",
        default=[],
        dest="define",
        metavar="NAME=VALUE",
        help="set a variable of the scenarios, or run only this value of a matrix",
    )
    group.add_argument("--allow-outside", action="store_true", help="trust files that say 'allow-outside-paths'")
    group.add_argument("--allow-empty", action="store_true", help="finding nothing to run is no failure")


def _running(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how to run it")
    group.add_argument("-j", "--jobs", type=_positive, default=default_jobs(), help="cases at a time (%(default)s)")
    group.add_argument(
        "--cluster", type=_address, metavar="ADDRESS", help="run the cases on the workers of this Dask scheduler"
    )
    group.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="cap on each case (180 s where it has none)")
    group.add_argument(
        "--audit",
        action="store_true",
        help="then break each assertion and leave out each write once, and report for what of it no case fails",
    )
    group.add_argument("--fail-fast", action="store_true", help="start no further case after the first failure")
    group.add_argument("--repeat", type=_positive, default=1, metavar="N", help="run every case N times, in rounds")
    group.add_argument(
        "--shuffle", nargs="?", type=_seed, metavar="SEED", help="in another order; --shuffle=SEED repeats one"
    )
    for tool, variable in TOOLS.items():
        where = "PATH" if tool == "qemu" else "beside --qemu, or on PATH"
        several = "; several times for several builds" if tool == "qemu" else ""
        shown = f"the {tool} under test (else {variable}, {where}{several})"
        group.add_argument(f"--{tool}", action="append", default=[], metavar="PROG", help=shown)


def _reports(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reports")
    group.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML too, once it is complete")
    group.add_argument("--html", type=Path, metavar="FILE", help="write a page to look at too, once it is complete")
    group.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write every event as a line of JSON while it runs; with --list: print a line per case",
    )
    group.add_argument("--save-durations", type=Path, metavar="FILE", help="write what each case took, for --durations")
    group.add_argument("--tap", type=Path, metavar="FILE", help="write the TAP report to FILE once it is complete")


def _keeping(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is kept")
    group.add_argument("--artifacts", type=Path, metavar="DIR", help="keep a directory per case, with its trace")
    group.add_argument("--keep", action="store_true", help="keep the images of every case too")


def _debugging(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("debugging, at a terminal")
    group.add_argument("--pause-on-failure", action="store_true", help="keep the VMs of a failed case up until Enter")
    group.add_argument("--step", action="store_true", help="stop before each step")


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
    group.add_argument("--print-completion", choices=SHELLS, metavar="SHELL", help="print what completes in this shell")
    group.add_argument("--complete", choices=("case", "tag"), help=argparse.SUPPRESS)


def _refuse_contradictions(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.cluster and options.keep:
        parser.error("--keep does not go with --cluster: the images are on the workers")
    if options.strict and not options.check:
        parser.error("--strict goes with --check")
    if options.with_qmp and not options.print_schema:
        parser.error("--with-qmp goes with --print-schema")
    prints = options.print_schema or options.print_reference or options.print_rules or options.explain is not None
    prints = prints or options.print_completion is not None
    if options.json == "-" and not options.list:
        parser.error("--json needs a FILE; alone it goes with --list")
    if options.json not in (None, "-") and options.list:
        parser.error("--list prints; redirect it to write a file")
    files = [Path(file).absolute() for name in REPORTS if (file := getattr(options, name))]
    twice = [file for file in files if files.count(file) > 1 and (file.is_file() or not file.exists())]
    if twice:
        parser.error(f"two reports cannot both be in {twice[0]}")
    if len(options.qemu) > 1:
        _refuse_several_builds(parser, options)
    if options.audit and options.repeat > 1:
        parser.error("--audit runs each case once as it is: no --repeat")
    if not (options.paths or prints or options.new or options.save_qmp_schema):
        parser.error("no PATH given; try 'run-scenarios scenarios/'")


def _refuse_several_builds(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.cluster:
        parser.error("--cluster runs on one --qemu, as it is called on the workers")
    if options.save_qmp_schema or options.with_qmp:
        parser.error("one --qemu at a time has its QMP schema printed or saved")
    if options.audit:
        parser.error("--audit is of one --qemu at a time")


def _refuse_nobody(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    option = "--step" if options.step else "--pause-on-failure"
    if options.cluster:
        parser.error(f"{option} does not go with --cluster: the VMs are on the workers")
    if not (sys.stdin and sys.stdin.isatty()):
        parser.error(f"{option} needs a terminal as standard input, for somebody to answer")


def default_jobs() -> int:
    """Return how many cases to run at a time: two for each processor, for a case waits for the disk.

    Measured with 30 cases on two processors, medians of four runs: 5.7 s with two at a time, 5.4 with three, 4.6 with
    four; the bare processes and their QMP traffic alone show the same order.
    """
    return 2 * len(os.sched_getaffinity(0))


def _keywords(text: str) -> str:
    from run_scenarios.collection.keyword_expression import KeywordSyntaxError, parse_keyword_expression

    try:
        parse_keyword_expression(text)
    except KeywordSyntaxError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count:
        raise argparse.ArgumentTypeError(f"'{text}' is not a part such as 1/5, 2/5, … 5/5")
    return number, count


def _definition(text: str) -> str:
    if not re.match(r"[A-Za-z_][A-Za-z0-9_]*=", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return text


def _seconds(text: str) -> float:
    if not re.fullmatch(r"(?=.*[1-9])[0-9]{1,9}(\.[0-9]{1,9})?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds above 0")
    return float(text)


def _address(text: str) -> str:
    if not re.fullmatch(r"([a-z]+://)?[^\s/]+:[0-9]{1,5}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"'{text}' is not an address such as tcp://scheduler:8786")
    return text


def _seed(text: str) -> str:
    return text or str(int.from_bytes(os.urandom(3), "big"))


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1")
    return int(text)
