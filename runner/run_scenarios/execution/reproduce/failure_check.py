"""Write the end of the script, which decides whether the recorded failure happens again."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from run_scenarios.core.nodes import JsonObject
from run_scenarios.execution.reproduce.actions import Action, RecordedStep, Recording, to_shell_status
from run_scenarios.execution.reproduce.script_writer import IDENTITY, ScriptWriter, error_part, event_parts

MAX_WAIT_S = 60


@dataclass(frozen=True)
class FailurePoint:
    """Where a recorded case failed.

    :param step: the step that failed, without a number if the case failed outside of all steps.
    :param action: the action whose outcome made the step fail, None if that is unknown.
    :param crash: the exit of the QEMU or server that crashed, None if none did.
    """

    step: RecordedStep
    action: Action | None
    crash: Action | None
    server_crashed: bool
    in_shutdown: bool


def find_failure_point(recording: Recording, failure: JsonObject, crashed_program: str) -> FailurePoint:
    """Find where a recorded case failed.

    :param crashed_program: the VM or server whose crash is the failure, "" if it is another one.
    """
    step = recording.find_step(failure.get("step"))
    crash = next((action for action in recording.exits() if action.vm == crashed_program), None)
    server_crashed = recording.is_server(crashed_program)
    if not step:
        return FailurePoint(RecordedStep(), None, crash, server_crashed, in_shutdown=recording.shutdown is not None)
    action = _find_decisive_action(recording, step, crash)
    return FailurePoint(step, action, crash, server_crashed, in_shutdown=False)


def _find_decisive_action(recording: Recording, step: RecordedStep, crash: Action | None) -> Action | None:
    """Return the last action of the failed step; `wait-exit` may have found that the VM had exited before."""
    actions = [action for action in step.actions if action is not crash]
    if actions or step.verb != "wait-exit":
        return actions[-1] if actions else None
    return next((action for action in recording.exits() if action is not crash), None)


def write_failure_check(writer: ScriptWriter, point: FailurePoint, failure: JsonObject) -> list[str]:
    """Return the lines that repeat the decisive action, and exit with 1 if it fails as recorded."""
    if point.crash:
        return _check_crash(writer, point, point.crash)
    step, action = point.step, point.action
    if "timeout_ms" in failure:
        return _check_timeout(writer, step, action, failure)
    if step.verb == "assert-no-events":
        left = _decode_start(str(failure.get("found", "")))
        if action and isinstance(left, dict):
            return [*writer.write_action(action, step), f"failed_if_left {action.vm} {shlex.join(event_parts(left))}"]
    if action:
        return _check_action(writer, step, action, failure)
    if writer.compares_saved:
        return ["failed_if_same"]
    return [_cannot_tell(failure)]


def _check_crash(writer: ScriptWriter, point: FailurePoint, crash: Action) -> list[str]:
    lines = writer.write_action(point.action, point.step, "any") if point.action else []
    if point.server_crashed:
        return [*lines, f"cannot_tell {shlex.quote(f'qemu-nbd on {crash.vm} crashed')}"]
    terminate = [f"signal {crash.vm} TERM"] if point.in_shutdown else []
    return [*lines, *terminate, f"failed_if_exits {crash.vm} {crash.outcome} 0"]


def _check_action(writer: ScriptWriter, step: RecordedStep, action: Action, failure: JsonObject) -> list[str]:
    quoted = _find_quoted_line(action.printed, failure)
    match action.kind:
        case "command":
            line = writer.write_action(action, step, "any")[0]
            if quoted:
                return [line, f"failed_if_printed {shlex.quote(quoted)}"]
            kind = "error" if action.outcome and "error" in action.outcome else "return"
            return [line, f"failed_if {kind} {shlex.quote(_make_pattern(action.outcome, failure))}"]
        case "run":
            text = quoted or _find_member(failure, action.printed)
            words = [str(action.outcome), *([text] if text else [])]
            return [*writer.write_action(action, step, "any"), f"failed_if_status {shlex.join(words)}"]
        case "event" if step.verb == "wait-job":
            name = action.data["data"].get("id", action.data["data"].get("device", ""))
            parts = [*event_parts(action.data), error_part(action.data)]
            return [f"failed_if_job {action.vm} {shlex.join([name, *parts])}"]
        case "event":
            pattern = _make_pattern({"data": action.data.get("data", {})}, failure)
            parts = event_parts(action.data, IDENTITY[:3])
            return [f"event {action.vm} {shlex.join(parts)}", f"failed_if timestamp {shlex.quote(pattern)}"]
        case "start":
            return [*writer.write_action(action, step), f"failed_if_exits {action.vm} {action.outcome} 0"]
        case "exit":
            wanted = "0" if step.verb != "wait-exit" else str(failure.get("rendered", "0"))
            wanted = (re.findall(r"-?\d+", wanted) or ["0"])[-1]
            return [f"failed_if_exits {action.vm} {action.outcome} {to_shell_status(int(wanted))}"]
        case _:
            return [_cannot_tell(failure)]


def _check_timeout(writer: ScriptWriter, step: RecordedStep, action: Action | None, failure: JsonObject) -> list[str]:
    """Return the lines that wait for what never came: an event, a reply, the exit of a tool or of QEMU."""
    seconds = max(1, min(MAX_WAIT_S, int(str(failure["timeout_ms"])) // 1000))
    lines = writer.write_action(action, step, "any") if action and action.kind != "event" else []
    if action and action.kind == "command" and action.outcome is None:
        return [f"LIMIT={seconds}", *lines, "failed_if_silent"]
    if action and action.kind == "run":
        return [f"LIMIT={seconds}", *lines, "failed_if_status 124"]
    write_wait = WAITS.get(step.verb)
    if write_wait:
        rendered = json.loads(str(failure.get("rendered") or "{}"))
        vm = action.vm if action and action.vm else step.vm
        return [*lines, write_wait(vm, seconds, rendered.get(step.verb))]
    return [*lines, _cannot_tell(failure)]


def _cannot_tell(failure: JsonObject) -> str:
    return f"cannot_tell {shlex.quote(str(failure['message']))}"


def _wait_for_event(vm: str, seconds: int, argument: Any) -> str:
    name, match = (argument["name"], argument.get("match")) if isinstance(argument, dict) else (argument, None)
    parts = [f'"event": "{name}"', *_find_strings(match)]
    return f"failed_unless_event {vm} {seconds} {shlex.join(parts)}"


def _wait_for_job(vm: str, seconds: int, argument: Any) -> str:
    job, until = (argument["id"], argument.get("until", "null")) if isinstance(argument, dict) else (argument, "null")
    return f"failed_unless_event {vm} {seconds} " + shlex.join([f'"id": "{job}"', f'"status": "{until}"'])


def _wait_for_exit(vm: str, seconds: int, argument: Any) -> str:
    return f"failed_unless_exits {vm} {seconds}"


WAITS: dict[str, Callable[[str, int, Any], str]] = {
    "wait-event": _wait_for_event,
    "wait-job": _wait_for_job,
    "wait-exit": _wait_for_exit,
    "shutdown": _wait_for_exit,
}


def _find_strings(value: Any) -> list[str]:
    """Return the string members of a mapping, at any depth, as JSON, without those of operators."""
    if not isinstance(value, dict):
        return []
    found = []
    for key, item in value.items():
        plain = isinstance(item, str) and not key.startswith("$")
        found += [json.dumps({key: item})[1:-1]] if plain else _find_strings(item)
    return found


def _make_pattern(reply: Any, failure: JsonObject) -> str:
    """Return a regular expression for the part of a reply that made the case fail: one member, or the whole reply."""
    text = json.dumps(reply)
    member = _find_member(failure, text)
    if not member:
        return _escape_regex(text.strip("{}"))
    named = _make_name_pattern(text, member)
    end = r"[,}]" if member[-1].isdigit() else ""
    return f"{named}{_escape_regex(member)}{end}"


def _make_name_pattern(text: str, member: str) -> str:
    """Return an expression for the name of the object that holds a member, if the name precedes the member."""
    within = re.search(rf"\{{([^{{}}]*){re.escape(member)}", text)
    name = re.search(r'"(?:name|id|node-name|device)": "[^"]*"', within[1]) if within else None
    return f"{_escape_regex(name[0])}[^{{}}]*" if name else ""


def _find_quoted_line(printed: str, failure: JsonObject) -> str:
    """Return the line of an output that the message ends with, "" if it quotes none."""
    lines = (line.strip() for line in printed.splitlines())
    return next((line for line in lines if line and str(failure["message"]).endswith(f": {line}")), "")


def _find_member(failure: JsonObject, text: str) -> str:
    """Return the wrong member as it is written in a text, "" if it is not there."""
    key = str(failure.get("path", "")).rsplit(".", 1)[-1]
    found = _decode_start(str(failure.get("found", "")))
    if not re.fullmatch(r"[\w-]+", key) or found is None:
        return ""
    member = json.dumps({key: found})[1:-1]
    return member if member in text else ""


def _decode_start(text: str) -> Any:
    """Return the JSON value at the beginning of a text, None if there is none."""
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        return None


def _escape_regex(text: str) -> str:
    """Return a POSIX extended regular expression that matches a text."""
    return re.sub(r"([\\.^$*+?()\[\]{}|])", r"\\\1", text)
