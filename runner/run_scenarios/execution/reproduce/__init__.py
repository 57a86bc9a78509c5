"""A case as a plain bash script that replays it, made from its trace: for a bug report, or `git bisect run`.

Imports acts, lines, ending and tools. The functions that the script is written in are in `functions.bash`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from run_scenarios.core.nodes import JsonObject
from run_scenarios.execution.reproduce.actions import END, Action, StepActions, read_steps
from run_scenarios.execution.reproduce.failure_check import check_crash, check_failure
from run_scenarios.execution.reproduce.script_writer import ScriptWriter
from run_scenarios.qemu.environment import TOOLS

FUNCTIONS = Path(__file__).with_name("functions.bash")
FAILED = (
    "0    it does not fail so",
    "1    it fails as recorded",
    "125  it goes another way before that, or cannot be run",
)
PASSED = (
    "0    all goes as recorded: it passes",
    "1    something goes another way",
    "125  it cannot be run",
)
FUNCTION = re.compile(r"^(\w+)\(\) ", re.MULTILINE)


@dataclass(frozen=True)
class ScriptHeader:
    """What the head of the script says.

    :param case: the case's name.
    :param told: the lines that a report says of it.
    :param programs: the path of each tool.
    """

    case: str
    told: Sequence[str]
    programs: Mapping[str, str]


def make_script(records: Iterable[JsonObject], story: ScriptHeader) -> str:
    """Return the script that replays the records of a trace, as far as its `fail` record if it has one."""
    steps, failure = read_steps(records)
    ending = steps.pop() if steps[-1].verb == END else None
    if not failure:
        lines = [*ScriptWriter(story.programs).steps(steps), 'echo "# all went as recorded"']
        return _script(story, lines, failed=False)
    writer = ScriptWriter(story.programs, compares_saved=_judges_results(steps, failure))
    crash = _take_crash([*steps, ending] if ending else steps, failure)
    failed = next(
        (step for step in steps if step.number and step.number == failure.get("step")), ending or StepActions()
    )
    last = _last_of(failed, steps) if failed is not ending else None
    lines = writer.steps(steps)
    if crash:
        lines += check_crash(writer, failed, last, crash)
    else:
        lines += check_failure(writer, failed, last, failure)
    return _script(story, lines, failed=True)


def _script(story: ScriptHeader, lines: Sequence[str], *, failed: bool) -> str:
    return "\n".join([*_head(story, lines, failed=failed), *lines, ""])


def _head(story: ScriptHeader, lines: Sequence[str], *, failed: bool) -> list[str]:
    return [
        "#!/bin/bash",
        f"# Replays {_comment(story.case)} with QEMU and its tools alone: the same command lines, the same QMP.",
        "# Recorded was:",
        *(f"#   {_comment(line)}" for line in story.told),
        "#",
        "# Exit status, as `git bisect run` takes it:",
        *(f"#   {line}" for line in (FAILED if failed else PASSED)),
        "# A command may answer with another value; its kind of reply, the events that were waited for, the status of",
        "# tools, and what made the case fail are compared.",
        *_prologue(lines),
        f"ANOTHER_WAY={125 if failed else 1}",
        *_programs(story.programs),
    ]


def _prologue(lines: Iterable[str]) -> list[str]:
    """Return the paragraphs of `functions.bash` without functions, and the functions that some lines use."""
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


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _programs(programs: Mapping[str, str]) -> list[str]:
    """Each is the one recorded; on another machine, the one of that name on PATH."""
    lines = []
    for tool, path in programs.items():
        name = path.rsplit("/", 1)[-1]
        lines.append(f': "${{{TOOLS[tool]}:=$(command -v {shlex.quote(path)} || echo {shlex.quote(name)})}}"')
    return lines


def _judges_results(steps: Sequence[StepActions], failure: JsonObject) -> bool:
    """Whether the case failed for a result of earlier steps, by an `assert`."""
    acted = any(step.acts for step in steps if step.number == failure.get("step"))
    return not acted and any(step.save and step.acts for step in steps)


def _last_of(failed: StepActions, steps: Sequence[StepActions]) -> Action | None:
    """Take out of the steps what decided that one failed: its last act, or an end that had come before it waited."""
    if failed.acts or failed.verb != "wait-exit":
        return failed.acts.pop() if failed.acts else None
    for step in reversed(steps):
        for act in reversed(step.acts):
            if act.kind == "exit":
                step.acts.remove(act)
                return act
    return None


def _take_crash(steps: Sequence[StepActions], failure: JsonObject) -> Action | None:
    """Take out of the steps the end of the QEMU that crashed, if one did."""
    if failure["reason"] != "qemu-crash":
        return None
    for step in reversed(steps):
        for act in reversed(step.acts):
            if act.kind == "exit" and f"VM '{act.vm}'" in str(failure["message"]):
                step.acts.remove(act)
                return act
    return None
