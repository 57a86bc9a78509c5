"""Read a trace as a recording: the actions of each step, and the failure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from run_scenarios.core.nodes import JsonObject


@dataclass(eq=False)
class Action:
    """One thing that a step did, and its outcome.

    :param kind: "run" a tool, "start" a VM, "serve" an image, send a "command" to a VM, wait for an "event" or an
        "exit", or "sleep" between two attempts.
    :param data: the argv, the QMP message, the event, or the seconds.
    :param outcome: the exit status as a shell has it, the greeting, or the reply; None if there was none.
    :param printed: the output of a tool, or of `qemu-io` in the monitor of a VM.
    """

    kind: str
    vm: str
    data: Any
    outcome: Any = None
    printed: str = ""


@dataclass(eq=False)
class RecordedStep:
    """A step and its actions; the fields before `actions` are those of the trace's `step` record.

    :param number: its place in the order of running, from 1; 0 for what is outside of all steps.
    :param vm: the VM that it names literally.
    :param retried: whether `eventually` ran it once more.
    """

    number: int = 0
    verb: str = ""
    at: str = ""
    name: str = ""
    save: str = ""
    vm: str = "vm"
    depth: int = 0
    actions: list[Action] = field(default_factory=list)
    retried: bool = False


@dataclass(frozen=True)
class Recording:
    """The steps of a case, as far as it ran.

    :param shutdown: what happened after the last step, None if a step failed.
    :param failure: the data of the trace's `fail` record, None if the case passed.
    :param late_exits: the exits of VMs after that record.
    """

    steps: Sequence[RecordedStep]
    shutdown: RecordedStep | None
    failure: JsonObject | None = None
    late_exits: Sequence[Action] = ()

    def find_step(self, number: object) -> RecordedStep | None:
        """Return the step with a number from 1."""
        return next((step for step in self.steps if step.number and step.number == number), None)

    def is_server(self, name: str) -> bool:
        """Tell whether this is the name of a server, and not of a VM."""
        return any(action.kind == "serve" and action.vm == name for step in self.steps for action in step.actions)

    def exits(self) -> Iterator[Action]:
        """Yield the exits of VMs and servers, the last first."""
        yield from reversed(self.late_exits)
        for step in reversed([*self.steps, *([self.shutdown] if self.shutdown else [])]):
            yield from (action for action in reversed(step.actions) if action.kind == "exit")

    def steps_without(self, excluded: Collection[Action]) -> list[RecordedStep]:
        """Return copies of the steps without some of their actions."""
        return [
            replace(step, actions=[action for action in step.actions if action not in excluded]) for step in self.steps
        ]


def read_recording(records: Iterable[JsonObject]) -> Recording:
    """Read the records of a trace up to its `fail` record, or to its end."""
    reader, remaining = _Reader(), iter(records)
    for record in remaining:
        if record["kind"] == "fail":
            failure = record["data"]
            assert isinstance(failure, dict)
            exits = [
                Action("exit", str(each["vm"]), None, to_shell_status(int(str(each["data"]))))
                for each in remaining
                if each["kind"] == "exit" and each["vm"]
            ]
            return Recording(reader.steps, reader.shutdown, failure, exits)
        reader.read(str(record["kind"]), str(record["vm"] or ""), record["data"])
    return Recording(reader.steps, reader.shutdown)


class _Reader:
    """Assigns records to steps, and outcomes to actions."""

    def __init__(self) -> None:
        self.steps = [RecordedStep()]
        self.shutdown: RecordedStep | None = None
        self._current = self.steps[0]
        self._latest: dict[str, Action] = {}
        self._unanswered: dict[tuple[str, object], Action] = {}

    def read(self, kind: str, vm: str, data: Any) -> None:
        """Read a record of the trace."""
        match kind:
            case "step":
                self._current = RecordedStep(**data)
                self.steps.append(self._current)
            case "end":
                self._current = self.shutdown = RecordedStep()
            case "exec":
                self._latest[vm] = self._add(_classify_program(data, vm), vm, data)
            case "send":
                action = self._add("command", vm, _without_id(data))
                self._latest[vm] = self._unanswered[vm, data.get("id")] = action
            case "recv":
                self._read_reply(vm, data)
            case "exit":
                self._read_exit(vm, data)
            case "output" if vm in self._latest:
                self._latest[vm].printed += data["stdout"] + data["stderr"]
            case "take":
                self._add("event", vm, data)
            case "pause":
                self._add("sleep", vm, data)
                self._mark_retried()

    def _add(self, kind: str, vm: str, data: Any) -> Action:
        action = Action(kind, vm, data)
        self._current.actions.append(action)
        return action

    def _read_reply(self, vm: str, data: Any) -> None:
        if "QMP" in data:
            self._latest[vm].outcome = data
        elif "event" not in data and (vm, data.get("id")) in self._unanswered:
            self._unanswered.pop((vm, data.get("id"))).outcome = _without_id(data)

    def _read_exit(self, vm: str, status: int) -> None:
        action = self._add("exit", vm, None) if vm else self._latest[vm]
        action.outcome = to_shell_status(status)

    def _mark_retried(self) -> None:
        """Mark the steps of the attempt that just ended: those since the `eventually`, or since the last pause."""
        for step in reversed(self.steps):
            if step.verb == "eventually" or step.retried:
                return
            step.retried = True


def to_shell_status(status: int) -> int:
    """Convert an exit status to that of a shell, which adds 128 to the number of a signal."""
    return 128 - status if status < 0 else status


def _classify_program(argv: Sequence[str], vm: str) -> str:
    return "run" if not vm else "serve" if argv[1:2] == ["-IS"] else "start"


def _without_id(message: Any) -> Any:
    return {key: value for key, value in message.items() if key != "id"}
