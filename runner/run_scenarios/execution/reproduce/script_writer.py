"""Acts as lines of the script. Imports acts and tools."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from run_scenarios.execution.reproduce.actions import Action, StepActions
from run_scenarios.qemu.environment import TOOLS

# Ours are the last words of the command line.
MONITOR = re.compile(r"socket,id=(qmp|shell),.*")
IDENTITY = ("id", "device", "node-name", "status", "operation", "action")
SYNCHRONOUS = re.compile(r'qemu-io .* "(write|read|discard)')
DONE = re.compile(r"(wrote|read|discard) \d+/\d+ bytes at offset \d+$", re.MULTILINE)
ENDS = ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED")


class ScriptWriter:
    """Writes acts as lines of the script.

    :param programs: the path of each tool.
    :param compares_saved: whether results that were saved decide how the replay ends.
    """

    def __init__(self, programs: Mapping[str, str], *, compares_saved: bool = False) -> None:
        self._variables = {path: f'"${TOOLS[tool]}"' for tool, path in programs.items()}
        self.compares_saved = compares_saved

    def steps(self, steps: Iterable[StepActions]) -> list[str]:
        """Return the lines of steps."""
        return [line for step in steps for line in self._step(step)]

    def _step(self, step: StepActions) -> list[str]:
        job = step.verb == "wait-job"
        lines = self._job(step) if job else [line for act in step.acts for line in self.act(act, step)]
        if step.tried_again:
            lines = [line if line.startswith("sleep") else f"maybe {line}" for line in lines]
        if step.save and self.compares_saved and step.acts:
            lines += [f"saved {shlex.quote(_result(step.acts[-1]))}"]
        if not step.number:
            return lines
        words = [str(step.number), f"({step.verb})", step.at, *([step.name] if step.name else [])]
        return ["", f"step {shlex.quote(' '.join(words))}", *lines]

    def act(self, act: Action, step: StepActions, kind: str = "") -> list[str]:
        """Return the lines of an act in a step.

        :param kind: what a reply or a status must be; that of the record by default, "any" if it is looked at later.
        """
        match act.kind:
            case "run":
                return [f"run {kind or ('any' if act.came is None else act.came)} {self._command(act.data)}"]
            case "serve":
                return [f"serve {act.vm} {self._command(act.data[5:])}"]
            case "start":
                start = f"start {act.vm} {self._command(_with_stdio(act.data))}"
                return [start, f"greets {act.vm}"] if act.came else [start]
            case "ask":
                wanted = kind or ("any" if act.came is None else "error" if "error" in act.came else "return")
                return [f"qmp {act.vm} {shlex.quote(json.dumps(act.data))} {wanted}", *_printed(act, wanted)]
            case "take":
                return [f"event {act.vm} {shlex.join(event_parts(act.data))}"]
            case "exit":
                return self._exit(act, step)
            case _:
                return [f"sleep {act.data}"]

    def _exit(self, act: Action, step: StepActions) -> list[str]:
        if step.verb == "stop-nbd":
            return [f"stop {act.vm}"]
        kill = [f"signal {act.vm} KILL"] if step.verb == "kill" else []
        return [*kill, f"exits {act.vm} {act.came}"]

    def _command(self, argv: Sequence[str]) -> str:
        program = self._variables.get(argv[0], shlex.quote(argv[0]))
        return " ".join([program, *map(shlex.quote, argv[1:])])

    def _job(self, step: StepActions) -> list[str]:
        """A job may pause on its way as it likes; so of its events only the last is waited for."""
        takes = [act for act in step.acts if act.kind == "take"]
        lines = [line for act in step.acts if act.kind != "take" for line in self.act(act, step)]
        changes = [act for act in takes if act.data["event"] == "JOB_STATUS_CHANGE"]
        if not changes:
            return lines
        data = changes[-1].data["data"]
        ends = [act.data for act in takes if act.data["event"] in ENDS]
        parts = [ends[-1]["event"], error_part(ends[-1])] if ends else []
        return [*lines, f"job {changes[-1].vm} {shlex.join([data['id'], data['status'], *parts])}"]


def _with_stdio(argv: Sequence[str]) -> list[str]:
    """Return the command line of a QEMU with its QMP on standard input and output instead of our socket."""
    place = next((index for index, word in enumerate(argv) if MONITOR.fullmatch(word)), None)
    if place is None:
        return list(argv)
    daemon = argv[place - 1] == "--chardev"
    own = ["--chardev", "stdio,id=qmp", "--monitor", "chardev=qmp"] if daemon else ["-qmp", "stdio"]
    return [*argv[: place - 1], *own]


def _printed(act: Action, wanted: str) -> list[str]:
    """The monitor says of no I/O that it failed; only what is printed tells."""
    done = DONE.search(act.printed) if SYNCHRONOUS.search(str(act.data)) else None
    return [f"prints {shlex.quote(done[0])}"] if wanted == "return" and done else []


def event_parts(event: Any, keys: Sequence[str] = IDENTITY) -> list[str]:
    """Return what tells an event from others, as it is in the text of one."""
    data = event.get("data", {})
    return [f'"event": "{event["event"]}"', *(json.dumps({k: data[k]})[1:-1] for k in keys if k in data)]


def error_part(event: Any) -> str:
    """Return what tells whether a job failed, as it is in the text of the event of its end."""
    data = event.get("data", {})
    return json.dumps({"error": data["error"]})[1:-1] if "error" in data else '!"error"'


def _result(act: Action) -> str:
    return json.dumps(act.came)[1:-1] if act.kind == "ask" else act.printed.rstrip("\n")
