"""What was done in a case, step by step, read from its trace. Imports nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from run_scenarios.core.nodes import JsonObject

END = "(end)"


@dataclass
class Action:
    """Something that was done, and what came of it.

    :param kind: "run" a tool, "start" a VM, "serve" an image, "ask" a VM, "take" an event, "exit", "pause".
    :param data: the words of the command, the QMP message, the event, the seconds.
    :param came: the status as a shell has it, the greeting, or the reply; None if it did not come.
    :param printed: what a tool, or `qemu-io` in the monitor of a VM, printed.
    """

    kind: str
    vm: str
    data: Any
    came: Any = None
    printed: str = ""


@dataclass
class StepActions:
    """A step with what was done in it; what came before the first is in one with the number 0.

    :param vm: the VM that it names, if it says so in so many words.
    :param tried_again: whether `eventually` had it run once more.
    """

    number: int = 0
    verb: str = ""
    at: str = ""
    name: str = ""
    save: str = ""
    vm: str = "vm"
    depth: int = 0
    acts: list[Action] = field(default_factory=list)
    tried_again: bool = False


def read_steps(records: Iterable[JsonObject]) -> tuple[list[StepActions], JsonObject | None]:
    """Return the steps of a trace as far as they were recorded, and what failed, None if nothing did.

    What came to its end after the last step is in one with the verb `END`.
    """
    reader = _Reader()
    for record in records:
        if record["kind"] == "fail":
            failure = record["data"]
            assert isinstance(failure, dict)
            return reader.steps, failure
        reader.read(str(record["kind"]), str(record["vm"] or ""), record["data"])
    return reader.steps, None


class _Reader:
    """Puts together what belongs together."""

    def __init__(self) -> None:
        self.steps = [StepActions()]
        self._last: dict[str, Action] = {}
        self._asked: dict[tuple[str, object], Action] = {}

    def read(self, kind: str, vm: str, data: Any) -> None:
        """Read a record."""
        match kind:
            case "step":
                self.steps.append(StepActions(**data))
            case "end":
                self.steps.append(StepActions(verb=END))
            case "exec":
                self._last[vm] = self._add(_started(data, vm), vm, data)
            case "send":
                self._last[vm] = self._asked[vm, data.get("id")] = self._add("ask", vm, _without_id(data))
            case "recv":
                self._receive(vm, data)
            case "exit" | "output":
                self._end(kind, vm, data)
            case "take" | "pause":
                self._add(kind, vm, data)
                if kind == "pause":
                    self._try_again()

    def _add(self, kind: str, vm: str, data: Any) -> Action:
        act = Action(kind, vm, data)
        self.steps[-1].acts.append(act)
        return act

    def _receive(self, vm: str, data: Any) -> None:
        if "QMP" in data:
            self._last[vm].came = data
        elif "event" not in data and (vm, data.get("id")) in self._asked:
            self._asked.pop((vm, data.get("id"))).came = _without_id(data)

    def _end(self, kind: str, vm: str, data: Any) -> None:
        if kind == "output" and vm in self._last:
            self._last[vm].printed += data["stdout"] + data["stderr"]
        elif kind == "exit" and vm:
            self._add("exit", vm, None).came = shell_status(data)
        elif kind == "exit":
            self._last[vm].came = shell_status(data)

    def _try_again(self) -> None:
        for step in _last_try(self.steps):
            step.tried_again = True


def shell_status(status: int) -> int:
    """Return a status as a shell has it: 128 and the number of the signal."""
    return 128 - status if status < 0 else status


def _started(argv: Sequence[str], vm: str) -> str:
    return "run" if not vm else "serve" if argv[1:2] == ["-IS"] else "start"


def _without_id(message: Any) -> Any:
    return {key: value for key, value in message.items() if key != "id"}


def _last_try(steps: Sequence[StepActions]) -> Iterator[StepActions]:
    """Yield the steps of the try that has just ended: back to the `eventually`, or to the pause before."""
    for step in reversed(steps):
        if step.verb == "eventually" or step.tried_again:
            return
        yield step
