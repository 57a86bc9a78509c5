"""Write recorded actions as lines of the script."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from run_scenarios.execution.reproduce.actions import Action, RecordedStep
from run_scenarios.qemu.programs import TOOLS

# The runner's own QMP monitor, in the last arguments of a command line.
MONITOR = re.compile(r"socket,id=(qmp|shell),.*")
IDENTITY = ("id", "device", "node-name", "status", "operation", "action")
SYNCHRONOUS = re.compile(r'qemu-io .* "(write|read|discard)')
DONE = re.compile(r"(wrote|read|discard) \d+/\d+ bytes at offset \d+$", re.MULTILINE)
JOB_ENDS = ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED")


class ScriptWriter:
    """Writes actions as lines of the script.

    :param programs: the path of each tool.
    :param compares_saved: whether the replay compares the results that steps saved.
    """

    def __init__(self, programs: Mapping[str, str], *, compares_saved: bool = False) -> None:
        self._variables = {path: f'"${TOOLS[tool]}"' for tool, path in programs.items()}
        self.compares_saved = compares_saved

    def write_steps(self, steps: Iterable[RecordedStep]) -> list[str]:
        """Return the lines of steps."""
        return [line for step in steps for line in self._write_step(step)]

    def write_action(self, action: Action, step: RecordedStep, kind: str = "") -> list[str]:
        """Return the lines of an action of a step.

        :param kind: the kind of reply or the exit status that the script must see; as recorded by default, "any" if the
            lines that follow judge it.
        """
        match action.kind:
            case "run":
                status = "any" if action.outcome is None else action.outcome
                return [f"run {kind or status} {self._write_command(action.data)}"]
            case "serve":
                return [f"serve {action.vm} {self._write_command(action.data[5:])}"]
            case "start":
                start = f"start {action.vm} {self._write_command(_with_stdio(action.data))}"
                return [start, f"greets {action.vm}"] if action.outcome else [start]
            case "command":
                reply = "any" if action.outcome is None else "error" if "error" in action.outcome else "return"
                message, wanted = shlex.quote(json.dumps(action.data)), kind or reply
                return [f"qmp {action.vm} {message} {wanted}", *_write_printed(action, wanted)]
            case "event":
                return [f"event {action.vm} {shlex.join(event_parts(action.data))}"]
            case "exit":
                return self._write_exit(action, step)
            case _:
                return [f"sleep {action.data}"]

    def _write_step(self, step: RecordedStep) -> list[str]:
        lines = self._write_actions(step)
        if step.retried:
            lines = [line if line.startswith("sleep") else f"maybe {line}" for line in lines]
        if step.save and self.compares_saved and step.actions:
            lines += [f"saved {shlex.quote(_result_text(step.actions[-1]))}"]
        if not step.number:
            return lines
        title = [str(step.number), f"({step.verb})", step.at, *([step.name] if step.name else [])]
        return ["", f"step {shlex.quote(' '.join(title))}", *lines]

    def _write_actions(self, step: RecordedStep) -> list[str]:
        if step.verb == "wait-job":
            return self._write_job(step)
        return [line for action in step.actions for line in self.write_action(action, step)]

    def _write_exit(self, action: Action, step: RecordedStep) -> list[str]:
        if step.verb == "stop-nbd":
            return [f"stop {action.vm}"]
        kill = [f"signal {action.vm} KILL"] if step.verb == "kill" else []
        return [*kill, f"exits {action.vm} {action.outcome}"]

    def _write_command(self, argv: Sequence[str]) -> str:
        program = self._variables.get(argv[0], shlex.quote(argv[0]))
        return " ".join([program, *map(shlex.quote, argv[1:])])

    def _write_job(self, step: RecordedStep) -> list[str]:
        """Return the lines of `wait-job`; a job may pause at any time, so only its last event is waited for."""
        events = [action for action in step.actions if action.kind == "event"]
        others = [action for action in step.actions if action.kind != "event"]
        lines = [line for action in others for line in self.write_action(action, step)]
        changes = [action for action in events if action.data["event"] == "JOB_STATUS_CHANGE"]
        if not changes:
            return lines
        data = changes[-1].data["data"]
        ends = [action.data for action in events if action.data["event"] in JOB_ENDS]
        parts = [ends[-1]["event"], error_part(ends[-1])] if ends else []
        return [*lines, f"job {changes[-1].vm} {shlex.join([data['id'], data['status'], *parts])}"]


def event_parts(event: Any, keys: Sequence[str] = IDENTITY) -> list[str]:
    """Return the parts of an event's text that tell it from other events."""
    data = event.get("data", {})
    return [f'"event": "{event["event"]}"', *(json.dumps({k: data[k]})[1:-1] for k in keys if k in data)]


def error_part(event: Any) -> str:
    """Return the part of the text of a job's last event that tells whether the job failed."""
    data = event.get("data", {})
    return json.dumps({"error": data["error"]})[1:-1] if "error" in data else '!"error"'


def _with_stdio(argv: Sequence[str]) -> list[str]:
    """Return the command line of a QEMU with QMP on its standard streams instead of the runner's socket."""
    place = next((index for index, word in enumerate(argv) if MONITOR.fullmatch(word)), None)
    if place is None:
        return list(argv)
    daemon = argv[place - 1] == "--chardev"
    monitor = ["--chardev", "stdio,id=qmp", "--monitor", "chardev=qmp"] if daemon else ["-qmp", "stdio"]
    return [*argv[: place - 1], *monitor]


def _write_printed(action: Action, wanted: str) -> list[str]:
    """Return the line that judges `qemu-io` in the human monitor, which reports a failed request only as text."""
    done = DONE.search(action.printed) if SYNCHRONOUS.search(str(action.data)) else None
    return [f"prints {shlex.quote(done[0])}"] if wanted == "return" and done else []


def _result_text(action: Action) -> str:
    return json.dumps(action.outcome)[1:-1] if action.kind == "command" else action.printed.rstrip("\n")
