"""Write a bash script that replays a case from its trace, for a bug report or `git bisect run`.

The functions that the script calls are in `functions.bash`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from run_scenarios.core.nodes import JsonObject
from run_scenarios.execution.reproduce.actions import Recording, read_recording
from run_scenarios.execution.reproduce.failure_check import find_failure_point, write_failure_check
from run_scenarios.execution.reproduce.script_writer import ScriptWriter
from run_scenarios.qemu.programs import TOOLS

FUNCTIONS = Path(__file__).with_name("functions.bash")
FAILED = (
    "0    it does not fail as recorded",
    "1    it fails as recorded",
    "125  it differs from the recording before that, or cannot run",
)
PASSED = (
    "0    it passes as recorded",
    "1    it differs from the recording",
    "125  it cannot run",
)
FUNCTION = re.compile(r"^(\w+)\(\) ", re.MULTILINE)


@dataclass(frozen=True)
class ScriptHeader:
    """The comments and programs at the head of the script.

    :param case: the case's name.
    :param result: the lines that describe how it ended.
    :param programs: the path of each tool.
    """

    case: str
    result: Sequence[str]
    programs: Mapping[str, str]


def make_script(records: Iterable[JsonObject], header: ScriptHeader, crashed_program: str = "") -> str:
    """Return the script that replays the records of a trace, up to its `fail` record if it has one.

    :param crashed_program: the VM or server whose crash is the failure, "" if it is another one.
    """
    recording = read_recording(records)
    failure = recording.failure
    if not failure:
        lines = [*ScriptWriter(header.programs).write_steps(recording.steps), 'echo "# everything went as recorded"']
        return _assemble(header, lines, failed=False)
    writer = ScriptWriter(header.programs, compares_saved=_judges_saved_results(recording, failure))
    point = find_failure_point(recording, failure, crashed_program)
    before = recording.steps_without(point.repeated)
    lines = [*writer.write_steps(before), *write_failure_check(writer, point, failure)]
    return _assemble(header, lines, failed=True)


def _assemble(header: ScriptHeader, lines: Sequence[str], *, failed: bool) -> str:
    return "\n".join([*_write_head(header, lines, failed=failed), *lines, ""])


def _write_head(header: ScriptHeader, lines: Sequence[str], *, failed: bool) -> list[str]:
    return [
        "#!/bin/bash",
        f"# Replays {_escape_comment(header.case)} with the same QEMU command lines, tools and QMP commands.",
        "# The recording:",
        *(f"#   {_escape_comment(line)}" for line in header.result),
        "#",
        "# Exit status, as `git bisect run` expects it:",
        *(f"#   {line}" for line in (FAILED if failed else PASSED)),
        "# Compared are the kind of each reply (not its values), the events that were waited for, the exit status of",
        "# tools, and what made the case fail.",
        *_select_functions(lines),
        f"DIFFERS={125 if failed else 1}",
        *_write_programs(header.programs),
    ]


def _select_functions(lines: Iterable[str]) -> list[str]:
    """Return `functions.bash` without the functions that no line uses."""
    first, *rest = FUNCTIONS.read_text(encoding="utf-8").rstrip().split("\n\n")
    functions = {found[1]: each for each in rest if (found := FUNCTION.search(each))}
    unread = [*lines, *(each for each in rest if not FUNCTION.search(each))]
    used: set[str] = set()
    while unread:
        names = functions.keys() & set(re.findall(r"\w+", unread.pop())) - used
        unread += [functions[name] for name in names]
        used |= names
    kept = [each for each in rest if not (found := FUNCTION.search(each)) or found[1] in used]
    return "\n\n".join([first.partition("\n")[2], *kept, ""]).split("\n")


def _escape_comment(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _write_programs(programs: Mapping[str, str]) -> list[str]:
    """Return the lines that set each program: the recorded one if it is there, else the one of that name on PATH."""
    lines = []
    for tool, path in programs.items():
        name = path.rsplit("/", 1)[-1]
        lines.append(f': "${{{TOOLS[tool]}:=$(command -v {shlex.quote(path)} || echo {shlex.quote(name)})}}"')
    return lines


def _judges_saved_results(recording: Recording, failure: JsonObject) -> bool:
    """Tell whether the failed step, an `assert`, judged the saved results of earlier steps."""
    failed = recording.find_step(failure.get("step"))
    acted = bool(failed and failed.actions)
    return not acted and any(step.save and step.actions for step in recording.steps)
