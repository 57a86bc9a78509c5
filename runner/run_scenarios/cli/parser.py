"""The command line: options, their help, and the combinations that are refused.

This module imports little, so that `--help` is fast.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from run_scenarios import __version__
from run_scenarios.qemu.programs import TOOLS

SHELLS = ("bash", "zsh", "fish")
REPORTS = ("tap", "junit", "html", "json")
PROGRAMS = tuple(tool.replace("-", "_") for tool in TOOLS)
MODES = (
    "list",
    "check",
    "save_qmp_schema",
    "new",
    "explain",
    "print_schema",
    "print_reference",
    "print_rules",
    "print_completion",
)
"""Options that do something else than run scenarios; at most one can be given."""
SELECTING = ("keywords", "tag", "not_tag", "changed", "rerun_failed", "shard", "durations", "repeat", "shuffle")
RUNNING = ("jobs", "cluster", "audit", "fail_fast", "artifacts", "keep", "pause_on_failure", "step", "save_durations")
COLLECTING = ("paths", "define", "allow_outside", "allow_empty")
ALLOWED = {
    "run": (*COLLECTING, *SELECTING, *RUNNING, *REPORTS, *PROGRAMS, "timeout", "qmp_schema"),
    "list": (*COLLECTING, *SELECTING, *PROGRAMS, "timeout", "json"),
    "check": (*COLLECTING, *PROGRAMS, "strict", "qmp_schema"),
    "save_qmp_schema": PROGRAMS,
    "print_schema": ("with_qmp", "qmp_schema", *PROGRAMS),
}
"""The other options that have an effect in each mode; in a mode that is not listed, none has."""


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line, `sys.argv` by default, and exit with status 2 if it is wrong.

    The result has two more attributes: `mode`, "run" or one of `MODES`, and `command`, the command line as text.
    """
    parser = make_parser()
    given = sys.argv[1:] if arguments is None else arguments
    if any("\0" in each for each in given):
        parser.error("an argument contains a NUL character")
    options = parser.parse_args(_disambiguate(given))
    options.command = shlex.join([parser.prog, *given])
    options.mode = find_mode(options)
    _refuse_contradictions(parser, options)
    if options.pause_on_failure or options.step:
        _require_terminal(parser, options)
        options.jobs = 1
    return options


def find_mode(options: argparse.Namespace) -> str:
    """Return "run", or the one of `MODES` that was given."""
    return next((mode for mode in MODES if getattr(options, mode) not in (None, False)), "run")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; it refuses abbreviations, which a new option could make ambiguous."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="run-scenarios",
        usage="%(prog)s [options] PATH ...",
        formatter_class=_make_formatter,
        description="Run declarative test scenarios against QEMU's block layer and print a TAP report.",
        epilog="Case directories are created in TEST_DIR. Exit status: 0 passed, 1 failed, 2 wrong usage or scenario, "
        "3 cannot run, 5 nothing to run, 128+N stopped by signal N.",
    )
    groups = (
        _add_selection,
        _add_order_and_limits,
        _add_programs,
        _add_reports,
        _add_debugging,
        _add_checking,
        _add_modes,
    )
    for add_group in groups:
        add_group(parser)
    parser.set_defaults(mode="run", command="")
    parser.add_argument("--version", action="version", version=f"run-scenarios {__version__}")
    return parser


def _make_formatter(prog: str) -> argparse.HelpFormatter:
    """Return argparse's formatter with the width of the terminal; asking for it itself would import ten modules."""
    try:
        columns = int(os.environ.get("COLUMNS", 0)) or os.get_terminal_size().columns
    except (OSError, ValueError):
        columns = 0
    return argparse.HelpFormatter(prog, width=(columns or 80) - 2)


def _disambiguate(arguments: Sequence[str]) -> list[str]:
    """Give each option with an optional value an explicit value, so that it does not take the PATH after it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    values = {"--shuffle": "--shuffle=", "--changed": "--changed=HEAD"}
    if "--list" in arguments[:end]:
        values["--json"] = "--json=-"
    return [*(values.get(each, each) for each in arguments[:end]), *arguments[end:]]


def _add_selection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to run")
    group.add_argument(
        "paths", nargs="*", metavar="PATH", help="a file, a directory, or FILE::CASE for one case of a matrix"
    )
    group.add_argument(
        "-k",
        type=_keyword_expression,
        action="append",
        default=[],
        dest="keywords",
        metavar="EXPRESSION",
        help="select cases by name and tag: 'mirror and not (nbd or slow)'",
    )
    group.add_argument("--tag", action="append", default=[], help="select cases with this tag; repeat for more tags")
    group.add_argument("--not-tag", action="append", default=[], metavar="TAG", help="select cases without this tag")
    group.add_argument(
        "--changed",
        nargs="?",
        metavar="REV",
        help="select cases whose file, or a file it imports, differs from HEAD; --changed=REV: from this git revision",
    )
    group.add_argument(
        "--rerun-failed", action="store_true", help="select cases that failed when last run in this directory"
    )
    group.add_argument("--shard", type=_shard, metavar="I/N", help="run part I of N parts of similar duration")
    group.add_argument(
        "--durations",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="balance shards by the durations in this file",
    )
    group.add_argument(
        "-D",
        type=_override,
        action="append",
        default=[],
        dest="define",
        metavar="NAME=VALUE",
        help="set a variable of the scenarios, or run only this value of a matrix",
    )
    group.add_argument(
        "--allow-outside", action="store_true", help="trust the files that say 'allow-outside-paths: true'"
    )
    group.add_argument("--allow-empty", action="store_true", help="succeed even if there is nothing to run")


def _add_order_and_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how to run it")
    group.add_argument(
        "-j", "--jobs", type=_positive, default=default_jobs(), help="run this many cases at a time (%(default)s)"
    )
    group.add_argument(
        "--cluster", type=_address, metavar="ADDRESS", help="run the cases on the workers of this Dask scheduler"
    )
    group.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="limit the time of each case (180 s if it has no timeout)"
    )
    group.add_argument(
        "--audit",
        action="store_true",
        help="mutation-test the scenarios: break each assertion and drop each write; report what no case detects",
    )
    group.add_argument("--fail-fast", action="store_true", help="start no case after the first failure")
    group.add_argument("--repeat", type=_positive, default=1, metavar="N", help="run every case N times, in rounds")
    group.add_argument(
        "--shuffle", nargs="?", type=_seed, metavar="SEED", help="run in random order; --shuffle=SEED repeats an order"
    )


def _add_programs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("programs under test")
    for tool, variable in TOOLS.items():
        default = f"default: {variable}, then PATH" if tool == "qemu" else f"default: beside --qemu, {variable}, PATH"
        several = "; repeat to run on several builds" if tool == "qemu" else ""
        group.add_argument(
            f"--{tool}", action="append", default=[], metavar="PROG", help=f"the {tool} to use ({default}){several}"
        )


def _add_reports(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reports and artifacts")
    group.add_argument("--tap", type=Path, metavar="FILE", help="write the TAP report to a file, not standard output")
    group.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit XML report")
    group.add_argument("--html", type=Path, metavar="FILE", help="write an HTML report")
    group.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write each event as a line of JSON; with --list: print a JSON object per case",
    )
    group.add_argument(
        "--save-durations", type=Path, metavar="FILE", help="write the duration of each case, for --durations"
    )
    group.add_argument("--artifacts", type=Path, metavar="DIR", help="keep a directory per case, with its trace")
    group.add_argument("--keep", action="store_true", help="also keep the images of every case")


def _add_debugging(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("debugging, at a terminal")
    group.add_argument(
        "--pause-on-failure", action="store_true", help="keep the VMs of a failed case running until you press Enter"
    )
    group.add_argument("--step", action="store_true", help="pause before each step")


def _add_checking(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("checking")
    group.add_argument("--strict", action="store_true", help="with --check: treat lint warnings as errors")
    group.add_argument(
        "--qmp-schema", type=Path, metavar="FILE", help="check QMP against this file instead of the QEMU under test"
    )
    group.add_argument("--with-qmp", action="store_true", help="with --print-schema: include QEMU's QMP schema")


def _add_modes(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("instead of running scenarios").add_mutually_exclusive_group()
    group.add_argument("--list", action="store_true", help="print the names of the selected cases")
    group.add_argument("--check", action="store_true", help="check everything, QMP included")
    group.add_argument("--new", type=Path, metavar="FILE", help="write a template scenario")
    group.add_argument("--explain", metavar="WORD", help="explain a verb, or a lint rule by its code")
    group.add_argument(
        "--save-qmp-schema", type=Path, metavar="FILE", help="save the schema that QEMU reports, for --qmp-schema"
    )
    group.add_argument("--print-schema", action="store_true", help="print the JSON Schema of scenario files")
    group.add_argument("--print-reference", action="store_true", help="print the reference of all steps")
    group.add_argument("--print-rules", action="store_true", help="print the reference of all lint rules")
    group.add_argument(
        "--print-completion", choices=SHELLS, metavar="SHELL", help="print the completion script for bash, zsh or fish"
    )


def _refuse_contradictions(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    _refuse_useless_options(parser, options)
    if options.cluster and options.keep:
        parser.error("--keep cannot be used with --cluster: the images are on the workers")
    if options.json == "-" and options.mode != "list":
        parser.error("--json needs a FILE, except with --list")
    if options.json not in (None, "-") and options.mode == "list":
        parser.error("--list --json prints to standard output; redirect it to write a file")
    if len(options.qemu) > 1:
        _refuse_several_builds(parser, options)
    if options.audit and options.repeat > 1:
        parser.error("--audit cannot be used with --repeat")
    if not options.paths and "paths" in ALLOWED.get(options.mode, ()):
        parser.error("no PATH given; try 'run-scenarios scenarios/'")


def _refuse_useless_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    mode = options.mode
    allowed = {*ALLOWED.get(mode, ()), *MODES}
    for action in parser._actions:
        name = action.dest
        value = getattr(options, name, None)
        if name in allowed or not value or value == action.default:
            continue
        if name == "paths":
            parser.error(f"{_option(mode)} takes no PATH")
        needs = next((each for each, names in ALLOWED.items() if each != "run" and name in names), "run")
        reason = f"does nothing with {_option(mode)}" if mode != "run" else f"does nothing without {_option(needs)}"
        parser.error(f"{action.option_strings[-1]} {reason}")
    if mode == "run" and options.durations and not (options.shard or options.save_durations):
        parser.error("--durations does nothing without --shard or --save-durations")
    if mode == "list" and options.durations and not options.shard:
        parser.error("--durations does nothing without --shard")
    programs = [f"--{tool}" for tool, name in zip(TOOLS, PROGRAMS, strict=True) if getattr(options, name)]
    if programs and options.qmp_schema and mode != "run":
        parser.error(f"{programs[0]} does nothing with --qmp-schema")
    if mode == "print_schema" and not options.with_qmp and (programs or options.qmp_schema):
        parser.error(f"{(*programs, '--qmp-schema')[0]} does nothing without --with-qmp")


def _option(mode: str) -> str:
    return f"--{mode.replace('_', '-')}"


def _refuse_several_builds(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.cluster:
        parser.error("--cluster needs a single --qemu, named as on the workers")
    if options.save_qmp_schema or options.with_qmp:
        parser.error("a QMP schema needs a single --qemu")
    if options.audit:
        parser.error("--audit needs a single --qemu")


def _require_terminal(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    option = "--step" if options.step else "--pause-on-failure"
    if options.cluster:
        parser.error(f"{option} cannot be used with --cluster: the VMs are on the workers")
    if options.audit:
        parser.error(f"{option} cannot be used with --audit")
    if options.jobs not in (1, default_jobs()):
        parser.error(f"{option} runs one case at a time: -j cannot be used with it")
    if not (sys.stdin and sys.stdin.isatty()):
        parser.error(f"{option} needs a terminal as standard input")


def default_jobs() -> int:
    """Return how many cases to run at a time by default: two per processor, because a case waits for the disk.

    Medians of four runs of 30 cases on two processors: 5.7 s with two at a time, 5.4 with three, 4.6 with four; the
    bare processes and their QMP traffic alone show the same order.
    """
    return 2 * len(os.sched_getaffinity(0))


def _keyword_expression(text: str) -> str:
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


def _override(text: str) -> str:
    if not re.match(r"[A-Za-z_][A-Za-z0-9_]*=", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return text


def _seconds(text: str) -> float:
    if not re.fullmatch(r"(?=.*[1-9])[0-9]{1,9}(\.[0-9]{1,9})?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number of seconds")
    return float(text)


def _address(text: str) -> str:
    if not re.fullmatch(r"([a-z]+://)?[^\s/]+:[0-9]{1,5}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"'{text}' is not an address such as tcp://scheduler:8786")
    return text


def _seed(text: str) -> str:
    return text or str(int.from_bytes(os.urandom(3), "big"))


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive integer")
    return int(text)
