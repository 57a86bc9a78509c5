"""The end of the script: what decides whether the failed step fails as it did. Imports acts and lines."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

from run_scenarios.core.nodes import JsonObject
from run_scenarios.execution.reproduce.actions import END, Action, StepActions, shell_status
from run_scenarios.execution.reproduce.script_writer import IDENTITY, ScriptWriter, error_part, event_parts

MOST_WAITED_S = 60


def check_crash(writer: ScriptWriter, step: StepActions, last: Action | None, crash: Action) -> list[str]:
    """Return the lines that do the last act before a QEMU crashed, and decide whether it does."""
    lines = writer.act(last, step, "any") if last else []
    term = [f"signal {crash.vm} TERM"] if step.verb == END else []
    return [*lines, *term, f"failed_if_exits {crash.vm} {crash.came} 0"]


def check_failure(writer: ScriptWriter, step: StepActions, last: Action | None, failure: JsonObject) -> list[str]:
    """Return the lines that do the last act of the failed step, and decide whether it fails as recorded."""
    if failure["reason"] == "timeout":
        return _end_in_time(writer, step, last, failure)
    if step.verb == "assert-no-events":
        left = _decoded(str(failure.get("found", "")))
        if last and isinstance(left, dict):
            return [*writer.act(last, step), f"failed_if_left {last.vm} {shlex.join(event_parts(left))}"]
    if last:
        return _decide(writer, step, last, failure)
    if writer.compares_saved:
        return ["failed_if_same"]
    return [f"cannot_tell {shlex.quote(str(failure['message']))}"]


def _decide(writer: ScriptWriter, step: StepActions, last: Action, failure: JsonObject) -> list[str]:
    said = str(failure["message"]).partition(" did not succeed: ")[2]
    match last.kind:
        case "ask":
            line = writer.act(last, step, "any")[0]
            if said and said in last.printed:
                return [line, f"failed_if_printed {shlex.quote(said)}"]
            kind = "error" if last.came and "error" in last.came else "return"
            return [line, f"failed_if {kind} {shlex.quote(_pattern(last.came, failure))}"]
        case "run":
            text = said if said and said in last.printed else _member(failure, last.printed)
            words = [str(last.came), *([text] if text else [])]
            return [*writer.act(last, step, "any"), f"failed_if_status {shlex.join(words)}"]
        case "take" if step.verb == "wait-job":
            name = last.data["data"].get("id", last.data["data"].get("device", ""))
            return [f"failed_if_job {last.vm} {shlex.join([name, *event_parts(last.data), error_part(last.data)])}"]
        case "take":
            pattern = _pattern({"data": last.data.get("data", {})}, failure)
            parts = event_parts(last.data, IDENTITY[:3])
            return [f"event {last.vm} {shlex.join(parts)}", f"failed_if timestamp {shlex.quote(pattern)}"]
        case "start":
            return [*writer.act(last, step), f"failed_if_exits {last.vm} {last.came} 0"]
        case "exit":
            wanted = "0" if step.verb != "wait-exit" else str(failure.get("rendered", "0"))
            wanted = (re.findall(r"-?\d+", wanted) or ["0"])[-1]
            return [f"failed_if_exits {last.vm} {last.came} {shell_status(int(wanted))}"]
        case _:
            return [f"cannot_tell {shlex.quote(str(failure['message']))}"]


def _end_in_time(writer: ScriptWriter, step: StepActions, last: Action | None, failure: JsonObject) -> list[str]:
    """What never came: an event, a reply, the end of a tool or of QEMU."""
    seconds = max(1, min(MOST_WAITED_S, int(str(failure["timeout_ms"])) // 1000))
    lines = writer.act(last, step, "any") if last and last.kind != "take" else []
    if last and last.kind == "ask" and last.came is None:
        return [f"LIMIT={seconds}", *lines, "failed_if_silent"]
    if last and last.kind == "run":
        return [f"LIMIT={seconds}", *lines, "failed_if_status 124"]
    waits = WAITS.get(step.verb)
    if waits:
        rendered = json.loads(str(failure.get("rendered") or "{}"))
        return [*lines, waits(last.vm if last and last.vm else step.vm, seconds, rendered.get(step.verb))]
    return [*lines, f"cannot_tell {shlex.quote(str(failure['message']))}"]


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
