"""A case as a plain bash script that replays it, made from its trace: for a bug report, or `git bisect run`.

Imports acts and tools. The functions that the script is written in are in `reproduce.bash`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.acts import END, Act, StepActs, acts_of, shell_status
from runner.nodes import JsonObject
from runner.tools import TOOLS

PROLOGUE = Path(__file__).with_name("reproduce.bash")
FUNCTION = re.compile(r"^(\w+)\(\) ", re.MULTILINE)
# Ours are the last words of the command line.
MONITOR = re.compile(r"socket,id=(qmp|shell),.*")
IDENTITY = ("id", "device", "node-name", "status", "operation", "action")
SYNCHRONOUS = re.compile(r'qemu-io .* "(write|read|discard)')
DONE = re.compile(r"(wrote|read|discard) \d+/\d+ bytes at offset \d+$", re.MULTILINE)
MOST_WAITED_S = 60
ENDS = ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED")


@dataclass(frozen=True)
class Story:
    """What the head of the script says.

    :param case: the case's name.
    :param told: the lines that a report says of it.
    :param programs: the path of each tool.
    """

    case: str
    told: Sequence[str]
    programs: Mapping[str, str]


def reproduction(records: Iterable[JsonObject], story: Story) -> str:
    """Return the script that replays the records of a trace, as far as its `fail` record if it has one."""
    steps, failure = acts_of(records)
    ending = steps.pop() if steps[-1].verb == END else None
    if not failure:
        lines = [*_Writer(story.programs).steps(steps), 'echo "# all went as recorded"']
        return _script(story, lines, failed=False)
    writer = _Writer(story.programs, compares_saved=_judges_results(steps, failure))
    crash = _take_crash([*steps, ending] if ending else steps, failure)
    failed = next((step for step in steps if step.number and step.number == failure.get("step")), ending or StepActs())
    last = _last_of(failed, steps) if failed is not ending else None
    lines = writer.steps(steps)
    if crash:
        lines += writer.end_in_crash(failed, last, crash)
    else:
        lines += writer.end(failed, last, failure)
    return _script(story, lines, failed=True)


def _script(story: Story, lines: Sequence[str], *, failed: bool) -> str:
    return "\n".join([*_head(story, lines, failed=failed), *lines, ""])


def _head(story: Story, lines: Sequence[str], *, failed: bool) -> list[str]:
    codes = (
        ["0 it did not fail so, 1 it failed as recorded, 125 it went another way before that, or could not be run."]
        if failed
        else ["0 all went as recorded (it passed), 1 something did not, 125 it could not be run."]
    )
    return [
        "#!/bin/bash",
        f"# Replays {_comment(story.case)} with QEMU and its tools alone: the same command lines, the same QMP.",
        "# Recorded was:",
        *(f"#   {_comment(line)}" for line in story.told),
        "#",
        "# Exit status, as `git bisect run` takes it:",
        *(f"#   {line}" for line in codes),
        "# A command may answer with another value; its kind of reply, the events that were waited for, the status of",
        "# tools, and what made the case fail are compared.",
        *_prologue(lines),
        f"ANOTHER_WAY={125 if failed else 1}",
        *_programs(story.programs),
    ]


def _prologue(lines: Iterable[str]) -> list[str]:
    """Return the paragraphs of `reproduce.bash` without functions, and the functions that some lines use."""
    first, *rest = PROLOGUE.read_text(encoding="utf-8").rstrip().split("\n\n")
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


def _judges_results(steps: Sequence[StepActs], failure: JsonObject) -> bool:
    """Whether the case failed for a result of earlier steps, by an `assert`."""
    acted = any(step.acts for step in steps if step.number == failure.get("step"))
    return not acted and any(step.save and step.acts for step in steps)


def _last_of(failed: StepActs, steps: Sequence[StepActs]) -> Act | None:
    """Take out of the steps what decided that one failed: its last act, or an end that had come before it waited."""
    if failed.acts or failed.verb != "wait-exit":
        return failed.acts.pop() if failed.acts else None
    for step in reversed(steps):
        for act in reversed(step.acts):
            if act.kind == "exit":
                step.acts.remove(act)
                return act
    return None


def _take_crash(steps: Sequence[StepActs], failure: JsonObject) -> Act | None:
    """Take out of the steps the end of the QEMU that crashed, if one did."""
    if failure["reason"] != "qemu-crash":
        return None
    for step in reversed(steps):
        for act in reversed(step.acts):
            if act.kind == "exit" and f"VM '{act.vm}'" in str(failure["message"]):
                step.acts.remove(act)
                return act
    return None


class _Writer:
    """Writes acts as lines of the script.

    :param programs: the path of each tool.
    :param compares_saved: whether results that were saved decide how the replay ends.
    """

    def __init__(self, programs: Mapping[str, str], *, compares_saved: bool = False) -> None:
        self._variables = {path: f'"${TOOLS[tool]}"' for tool, path in programs.items()}
        self._compares_saved = compares_saved

    def steps(self, steps: Iterable[StepActs]) -> list[str]:
        """Return the lines of steps."""
        return [line for step in steps for line in self._step(step)]

    def _step(self, step: StepActs) -> list[str]:
        job = step.verb == "wait-job"
        lines = self._job(step) if job else [line for act in step.acts for line in self._act(act, step)]
        if step.tried_again:
            lines = [line if line.startswith("sleep") else f"maybe {line}" for line in lines]
        if step.save and self._compares_saved and step.acts:
            lines += [f"saved {shlex.quote(_result(step.acts[-1]))}"]
        if not step.number:
            return lines
        words = [str(step.number), f"({step.verb})", step.at, *([step.name] if step.name else [])]
        return ["", f"step {shlex.quote(' '.join(words))}", *lines]

    def _act(self, act: Act, step: StepActs, kind: str = "") -> list[str]:
        match act.kind:
            case "run":
                return [f"run {kind or act.came} {self._command(act.data)}"]
            case "serve":
                return [f"serve {act.vm} {self._command(act.data[5:])}"]
            case "start":
                start = f"start {act.vm} {self._command(_with_stdio(act.data))}"
                return [start, f"greets {act.vm}"] if act.came else [start]
            case "ask":
                wanted = kind or ("any" if act.came is None else "error" if "error" in act.came else "return")
                return [f"qmp {act.vm} {shlex.quote(json.dumps(act.data))} {wanted}", *_printed(act, wanted)]
            case "take":
                return [f"event {act.vm} {shlex.join(_parts(act.data))}"]
            case "exit":
                return self._exit(act, step)
            case _:
                return [f"sleep {act.data}"]

    def _exit(self, act: Act, step: StepActs) -> list[str]:
        if step.verb == "stop-nbd":
            return [f"stop {act.vm}"]
        kill = [f"signal {act.vm} KILL"] if step.verb == "kill" else []
        return [*kill, f"exits {act.vm} {act.came}"]

    def _command(self, argv: Sequence[str]) -> str:
        program = self._variables.get(argv[0], shlex.quote(argv[0]))
        return " ".join([program, *map(shlex.quote, argv[1:])])

    def _job(self, step: StepActs) -> list[str]:
        """A job may pause on its way as it likes; so of its events only the last is waited for."""
        takes = [act for act in step.acts if act.kind == "take"]
        lines = [line for act in step.acts if act.kind != "take" for line in self._act(act, step)]
        changes = [act for act in takes if act.data["event"] == "JOB_STATUS_CHANGE"]
        if not changes:
            return lines
        data = changes[-1].data["data"]
        ends = [act.data for act in takes if act.data["event"] in ENDS]
        parts = [ends[-1]["event"], _error_part(ends[-1])] if ends else []
        return [*lines, f"job {changes[-1].vm} {shlex.join([data['id'], data['status'], *parts])}"]

    def end_in_crash(self, step: StepActs, last: Act | None, crash: Act) -> list[str]:
        """Return the lines that do the last act before a QEMU crashed, and decide whether it does."""
        lines = self._act(last, step, "any") if last else []
        term = [f"signal {crash.vm} TERM"] if step.verb == END else []
        return [*lines, *term, f"failed_if_exits {crash.vm} {crash.came} 0"]

    def end(self, step: StepActs, last: Act | None, failure: JsonObject) -> list[str]:
        """Return the lines that do the last act of the failed step, and decide whether it fails as recorded."""
        if failure["reason"] == "timeout":
            return self._end_in_time(step, last, failure)
        if step.verb == "assert-no-events":
            left = _decoded(str(failure.get("found", "")))
            if last and isinstance(left, dict):
                return [*self._act(last, step), f"failed_if_left {last.vm} {shlex.join(_parts(left))}"]
        if last:
            return self._decide(step, last, failure)
        if self._compares_saved:
            return ["failed_if_same"]
        return [f"cannot_tell {shlex.quote(str(failure['message']))}"]

    def _decide(self, step: StepActs, last: Act, failure: JsonObject) -> list[str]:
        said = str(failure["message"]).partition(" did not succeed: ")[2]
        match last.kind:
            case "ask":
                line = self._act(last, step, "any")[0]
                if said and said in last.printed:
                    return [line, f"failed_if_printed {shlex.quote(said)}"]
                kind = "error" if last.came and "error" in last.came else "return"
                return [line, f"failed_if {kind} {shlex.quote(_pattern(last.came, failure))}"]
            case "run":
                text = said if said and said in last.printed else _member(failure, last.printed)
                words = [str(last.came), *([text] if text else [])]
                return [*self._act(last, step, "any"), f"failed_if_status {shlex.join(words)}"]
            case "take" if step.verb == "wait-job":
                name = last.data["data"].get("id", last.data["data"].get("device", ""))
                return [f"failed_if_job {last.vm} {shlex.join([name, *_parts(last.data), _error_part(last.data)])}"]
            case "take":
                pattern = _pattern({"data": last.data.get("data", {})}, failure)
                parts = _parts(last.data, IDENTITY[:3])
                return [f"event {last.vm} {shlex.join(parts)}", f"failed_if timestamp {shlex.quote(pattern)}"]
            case "start":
                return [*self._act(last, step), f"failed_if_exits {last.vm} {last.came} 0"]
            case "exit":
                wanted = "0" if step.verb != "wait-exit" else str(failure.get("rendered", "0"))
                wanted = (re.findall(r"-?\d+", wanted) or ["0"])[-1]
                return [f"failed_if_exits {last.vm} {last.came} {shell_status(int(wanted))}"]
            case _:
                return [f"cannot_tell {shlex.quote(str(failure['message']))}"]

    def _end_in_time(self, step: StepActs, last: Act | None, failure: JsonObject) -> list[str]:
        """What never came: an event, a reply, the end of a tool or of QEMU."""
        seconds = max(1, min(MOST_WAITED_S, int(str(failure["timeout_ms"])) // 1000))
        lines = self._act(last, step, "any") if last and last.kind != "take" else []
        if last and last.kind == "ask" and last.came is None:
            return [f"LIMIT={seconds}", *lines, "failed_if_silent"]
        if last and last.kind == "run":
            return [f"LIMIT={seconds}", *lines, "failed_if_status 124"]
        rendered = json.loads(str(failure.get("rendered") or "{}"))
        waits = WAITS.get(step.verb)
        vm = _vm_of(failure, last)
        if waits:
            return [*lines, f"{waits(vm, seconds, rendered[step.verb])}"]
        return [*lines, f"cannot_tell {shlex.quote(str(failure['message']))}"]


def _vm_of(failure: JsonObject, last: Act | None) -> str:
    return last.vm if last and last.vm else str(failure.get("vm") or "vm")


def _for_event(vm: str, seconds: int, argument: Any) -> str:
    name, match = (argument["name"], argument.get("match")) if isinstance(argument, dict) else (argument, None)
    parts = [f'"event": "{name}"', *_strings(match)]
    return f"failed_unless_event {vm} {seconds} {shlex.join(parts)}"


def _for_job(vm: str, seconds: int, argument: Any) -> str:
    job, until = (argument["id"], argument.get("until", "null")) if isinstance(argument, dict) else (argument, "null")
    return f"failed_unless_event {vm} {seconds} " + shlex.join([f'"id": "{job}"', f'"status": "{until}"'])


def _for_exit(vm: str, seconds: int, argument: Any) -> str:
    return f"failed_unless_exits {vm} {seconds}"


WAITS: dict[str, Callable[[str, int, Any], str]] = {
    "wait-event": _for_event,
    "wait-job": _for_job,
    "wait-exit": _for_exit,
    "shutdown": _for_exit,
}


def _strings(value: Any) -> list[str]:
    """Return the members of a mapping that are strings, however deep, as JSON; operators are left out."""
    if not isinstance(value, dict):
        return []
    found = []
    for key, item in value.items():
        plain = isinstance(item, str) and not key.startswith("$")
        found += [json.dumps({key: item})[1:-1]] if plain else _strings(item)
    return found


def _with_stdio(argv: Sequence[str]) -> list[str]:
    """Return the command line of a QEMU with its QMP on standard input and output instead of our socket."""
    place = next((index for index, word in enumerate(argv) if MONITOR.fullmatch(word)), None)
    if place is None:
        return list(argv)
    daemon = argv[place - 1] == "--chardev"
    own = ["--chardev", "stdio,id=qmp", "--monitor", "chardev=qmp"] if daemon else ["-qmp", "stdio"]
    return [*argv[: place - 1], *own]


def _printed(act: Act, wanted: str) -> list[str]:
    """The monitor says of no I/O that it failed; only what is printed tells."""
    done = DONE.search(act.printed) if SYNCHRONOUS.search(str(act.data)) else None
    return [f"prints {shlex.quote(done[0])}"] if wanted == "return" and done else []


def _parts(event: Any, keys: Sequence[str] = IDENTITY) -> list[str]:
    """Return what tells an event from others, as it is in the text of one."""
    data = event.get("data", {})
    return [f'"event": "{event["event"]}"', *(json.dumps({k: data[k]})[1:-1] for k in keys if k in data)]


def _error_part(event: Any) -> str:
    data = event.get("data", {})
    return json.dumps({"error": data["error"]})[1:-1] if "error" in data else '!"error"'


def _result(act: Act) -> str:
    return json.dumps(act.came)[1:-1] if act.kind == "ask" else act.printed.rstrip("\n")


def _pattern(reply: Any, failure: JsonObject) -> str:
    """Return a regular expression for what in a reply made the case fail: one member of it, or all that it says."""
    text = json.dumps(reply)
    member = _member(failure, text)
    if not member:
        return _escaped(text.strip("{}"))
    named = _naming(text, member)
    end = r"[,}]" if member[-1].isdigit() else ""
    return f"{named}{_escaped(member)}{end}"


def _naming(text: str, member: str) -> str:
    """Return an expression for what names the object that a member is in, if that stands before it."""
    within = re.search(rf"\{{([^{{}}]*){re.escape(member)}", text)
    name = re.search(r'"(?:name|id|node-name|device)": "[^"]*"', within[1]) if within else None
    return f"{_escaped(name[0])}[^{{}}]*" if name else ""


def _member(failure: JsonObject, text: str) -> str:
    """Return the member that was found to be wrong, as it stands in a text; "" if that cannot be told."""
    key = str(failure.get("path", "")).rsplit(".", 1)[-1]
    found = _decoded(str(failure.get("found", "")))
    if not re.fullmatch(r"[\w-]+", key) or found is None:
        return ""
    member = json.dumps({key: found})[1:-1]
    return member if member in text else ""


def _decoded(text: str) -> Any:
    """Return the JSON that a text begins with, None if there is none."""
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        return None


def _escaped(text: str) -> str:
    """Return a regular expression of POSIX for a text."""
    return re.sub(r"([\\.^$*+?()\[\]{}|])", r"\\\1", text)
