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
from run_scenarios.execution.reproduce.judgement import MAX_TEXT, judge_text, judge_value, judge_whole, write_conditions
from run_scenarios.execution.reproduce.script_writer import IDENTITY, JOB_ENDS, ScriptWriter, error_part, event_parts

MAX_WAIT_S = 60
ERROR_KEYS = ("class", "desc")
TOOL_KEYS = ("status", "stdout", "stderr", "output")
# As in the verb `hmp`.
COMPLAINT = re.compile('Error: |unknown command: |Try "help ')
OUTCOMES = {
    "completed": ('"BLOCK_JOB_COMPLETED"', '!"error"'),
    "failed": ('"BLOCK_JOB_COMPLETED"', '"error"'),
    "cancelled": ('"BLOCK_JOB_CANCELLED"',),
}
"""The parts of the events of a job, by its outcome; what begins with ! is not there."""
OUTCOMES_WITHOUT_EVENT = {"completed": ('!"aborting"',), "failed": ('"aborting"',)}


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

    @property
    def repeated(self) -> list[Action]:
        """The actions that the check repeats, so that they are not written before it."""
        events = [each for each in self.step.actions if each.kind == "event" and self.step.verb == "wait-job"]
        return [each for each in (self.action, self.crash, *events) if each]


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
    """Return the last action of the failed step, or the last event of a job, which says more than a query.

    `wait-exit` may have found that the VM had exited before.
    """
    actions = [action for action in step.actions if action is not crash]
    events = [action for action in actions if action.kind == "event" and step.verb == "wait-job"]
    actions = events or actions
    if actions or step.verb != "wait-exit":
        return actions[-1] if actions else None
    return next((action for action in recording.exits() if action is not crash), None)


def write_failure_check(writer: ScriptWriter, point: FailurePoint, failure: JsonObject) -> list[str]:
    """Return the lines that repeat the decisive action, and judge its outcome.

    They exit with 1 if it is the recorded failure, with 0 if it is what the step expects, and with 125 otherwise.
    """
    step, action = point.step, point.action
    if point.crash:
        return _check_crash(writer, point, point.crash)
    if "timeout_ms" in failure:
        return _check_timeout(writer, step, action, failure)
    if not action:
        return ["failed_if_results_are_same"] if writer.compares_saved else [_cannot_tell(failure)]
    match action.kind:
        case "command":
            lines = _check_reply(action, step, failure)
        case "run":
            lines = _check_tool(action, failure)
        case "event" if step.verb == "wait-job":
            return _check_job(action, step, failure) or [_cannot_tell(failure)]
        case "event":
            return [_take_event(action), *(_judge_value("message", action.data, failure) or [_cannot_tell(failure)])]
        case "exit":
            return _check_exit(action, step, failure)
        case _:
            lines = []
    kind = "any" if lines else ""
    return [writer.write_action(action, step, kind)[0], *(lines or [_cannot_tell(failure)])]


def _check_crash(writer: ScriptWriter, point: FailurePoint, crash: Action) -> list[str]:
    lines = writer.write_action(point.action, point.step, "any") if point.action else []
    if point.server_crashed:
        return [*lines, f"cannot_tell {shlex.quote(f'qemu-nbd on {crash.vm} crashed')}"]
    terminate = [f"signal {crash.vm} TERM"] if point.in_shutdown else []
    return [*lines, *terminate, f"failed_if_exits {crash.vm} {crash.outcome} 0"]


def _check_reply(action: Action, step: RecordedStep, failure: JsonObject) -> list[str]:
    """Return the lines that judge the reply to a QMP command, none if that is not possible."""
    reply, difference = action.outcome, _get_difference(failure)
    if reply is None:
        return []
    if "error" in difference:
        return [f"failed_if_returns {shlex.join(write_conditions(difference['error'], ERROR_KEYS))}"]
    if "error" in reply and not difference:
        return [f"failed_if_error {shlex.quote(json.dumps(reply['error']['desc']))}"]
    if step.verb == "assert-no-events":
        left = _decode_start(str(failure.get("found", "")))
        return [f"failed_if_left {action.vm} {shlex.join(event_parts(left))}"] if isinstance(left, dict) else []
    quoted = _find_quoted_line(action.printed, failure)
    if quoted:
        return [f"failed_if_printed {shlex.quote(quoted)}"]
    kind = f"replies {'error' if 'error' in reply else 'return'}"
    complaint = COMPLAINT.search(str(reply.get("return")))
    if step.verb == "hmp" and complaint and not difference:
        recorded = shlex.join(["0", "1", json.dumps(reply["return"]), "lacks", complaint[0]])
        return [kind, f'failed_if_value "$message" \'"return": \' {recorded}']
    judged = _judge_value("message", reply, failure) if difference else []
    if difference and not judged and not failure.get("path"):
        judged = _judge_return(reply, difference)
    judged = judged or judge_whole("message", json.dumps(reply))
    return [kind, *judged] if judged else []


def _judge_return(reply: Any, difference: Any) -> list[str]:
    """Return the line that judges a whole return value against an expected one without operators."""
    expected = json.dumps(difference["expected"])
    recorded = json.dumps(reply)
    if '"$' in expected or len(recorded) > MAX_TEXT:
        return []
    return [f'failed_if_text "$message" {shlex.join([recorded, "is", json.dumps({"return": difference["expected"]})])}']


def _check_tool(action: Action, failure: JsonObject) -> list[str]:
    """Return the lines that judge the status or the output of a tool, none if that is not possible."""
    difference, path, status = _get_difference(failure), str(failure.get("path", "")), action.outcome
    if "error" in difference:
        return [f"failed_if_succeeds {shlex.join(write_conditions(difference['error'], TOOL_KEYS))}"]
    if not difference:
        quoted = _find_quoted_line(action.printed, failure)
        return [f"failed_if_status {shlex.join([str(status), quoted, '0'])}"]
    if path == "status":
        return judge_text("status", {**difference, "found": status})
    has_status = [f"has_status {status}"]
    if path in TOOL_KEYS:
        judged = judge_text(path, difference)
    elif not path and isinstance(difference.get("found"), str):
        judged = judge_text("stdout", difference)
    else:
        judged = _judge_value("stdout", _decode_start(action.printed), failure)
    judged = judged or judge_whole("output", action.printed)
    return [*has_status, *judged] if judged else []


def _check_job(action: Action, step: RecordedStep, failure: JsonObject) -> list[str]:
    """Return the lines that follow a job and judge how it ends, none if that is not possible."""
    difference, path = _get_difference(failure), str(failure.get("path", ""))
    events = [each.data for each in step.actions if each.kind == "event"]
    statuses = [each["data"]["status"] for each in events if each["event"] == "JOB_STATUS_CHANGE"]
    ends = [each for each in events if each["event"] in JOB_ENDS]
    data = action.data["data"]
    until = "BLOCK_JOB_(COMPLETED|CANCELLED)" if ends else f'"status": "{statuses[-1] if statuses else ""}"'
    follow = f"follow_job {action.vm} {shlex.join([data.get('id', data.get('device', '')), until])}"
    if "found" not in difference:
        return []
    if path == "outcome":
        outcomes = OUTCOMES if ends else OUTCOMES_WITHOUT_EVENT
        recorded = [*outcomes[difference["found"]], *([error_part(ends[-1])] if ends else [])]
        expected = outcomes.get(difference["expected"], ("unknown",))
        return [follow, f"failed_if_seen {shlex.join(recorded)} -- {shlex.join(expected)}"]
    if path == "status":
        found, wanted = (f'"status": "{difference[key]}"' for key in ("found", "expected"))
        return [follow, f"failed_if_seen {shlex.join([found, f'!{wanted}'])} -- {shlex.quote(wanted)}"]
    judged = _judge_value("seen", ends[-1], {**failure, "path": path or "error"}) if ends else []
    return [follow, *judged] if judged else []


def _check_exit(action: Action, step: RecordedStep, failure: JsonObject) -> list[str]:
    """Return the line that judges how a VM exits."""
    difference, path = _get_difference(failure), str(failure.get("path", ""))
    if step.verb == "wait-exit" and "expected" in difference:
        return [f"failed_if_exits {action.vm} {action.outcome} {to_shell_status(difference['expected'])}"]
    if step.verb == "shutdown":
        return [f"failed_if_exits {action.vm} {action.outcome} 0"]
    if "error" in difference or step.verb != "launch":
        return [_cannot_tell(failure)]
    if not difference:
        # Without the name of the program.
        last = str(failure.get("stderr", "")).partition(": ")[2]
        return [f"failed_if_exits {shlex.join([action.vm, str(action.outcome), '0', last])}"]
    if path == "status":
        return [f"ended {action.vm} 5", *judge_text("status", {**difference, "found": action.outcome})]
    judged = judge_text("stderr", difference) if path == "stderr" else []
    return [f"exits {action.vm} {action.outcome}", *judged] if judged else [_cannot_tell(failure)]


def _take_event(action: Action) -> str:
    return f"event {action.vm} {shlex.join(event_parts(action.data, IDENTITY[:3]))}"


def _judge_value(variable: str, document: Any, failure: JsonObject) -> list[str]:
    difference = _get_difference(failure)
    if document is None or "expected" not in difference:
        return []
    return judge_value(variable, document, str(failure.get("path", "")), difference, str(failure.get("rendered", "")))


def _get_difference(failure: JsonObject) -> Any:
    return failure.get("difference") or {}


def _check_timeout(writer: ScriptWriter, step: RecordedStep, action: Action | None, failure: JsonObject) -> list[str]:
    """Return the lines that wait for what never came: an event, a reply, the exit of a tool or of QEMU."""
    seconds = max(1, min(MAX_WAIT_S, int(str(failure["timeout_ms"])) // 1000))
    lines = writer.write_action(action, step, "any") if action and action.kind != "event" else []
    if action and action.kind == "command" and action.outcome is None:
        return [f"LIMIT={seconds}", *lines, "failed_if_silent"]
    if action and action.kind == "run":
        return [f"LIMIT={seconds}", *lines, "failed_if_status 124 '' 0"]
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
    members = _find_members(match)
    parts = [f'"event": "{name}"', *(member for member in members if member)]
    certain = "certain" if all(members) else "uncertain"
    return f"failed_unless_event {vm} {seconds} {certain} {shlex.join(parts)}"


def _wait_for_job(vm: str, seconds: int, argument: Any) -> str:
    job, until = (argument["id"], argument.get("until", "null")) if isinstance(argument, dict) else (argument, "null")
    return f"failed_unless_event {vm} {seconds} certain " + shlex.join([f'"id": "{job}"', f'"status": "{until}"'])


def _wait_for_exit(vm: str, seconds: int, argument: Any) -> str:
    return f"failed_unless_exits {vm} {seconds}"


WAITS: dict[str, Callable[[str, int, Any], str]] = {
    "wait-event": _wait_for_event,
    "wait-job": _wait_for_job,
    "wait-exit": _wait_for_exit,
    "shutdown": _wait_for_exit,
}


def _find_members(value: Any) -> list[str]:
    """Return the scalar members of an expected mapping, at any depth, as JSON; "" for what is not a scalar."""
    if value is None:
        return []
    if not isinstance(value, dict) or any(key.startswith("$") for key in value):
        return [""]
    members = []
    for key, item in value.items():
        is_scalar = not isinstance(item, dict | list) and item is not None
        members += [json.dumps({key: item})[1:-1]] if is_scalar else _find_members(item)
    return members


def _find_quoted_line(printed: str, failure: JsonObject) -> str:
    """Return the line of an output that the message ends with, "" if it quotes none."""
    lines = (line.strip() for line in printed.splitlines())
    return next((line for line in lines if line and str(failure["message"]).endswith(f": {line}")), "")


def _decode_start(text: str) -> Any:
    """Return the JSON value at the beginning of a text, None if there is none."""
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        return None
