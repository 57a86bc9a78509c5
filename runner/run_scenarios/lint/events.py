"""The rule about events that are older than the command that should have caused them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from run_scenarios.core.nodes import MappingNode, Node, ScalarNode
from run_scenarios.lint.context import Finding, LintContext
from run_scenarios.scenario.dry_run import VisitedStep

CAUSES = {
    "STOP": {"stop"},
    "RESUME": {"cont"},
    "RESET": {"system_reset"},
    "POWERDOWN": {"system_powerdown"},
    "WAKEUP": {"system_wakeup"},
    "DEVICE_TRAY_MOVED": {"blockdev-open-tray", "blockdev-close-tray", "eject"},
    "BLOCK_EXPORT_DELETED": {"block-export-del", "nbd-server-remove"},
}
"""The commands that cause an event each time. Source: the QAPI documents."""
COMMANDS = {command: event for event, commands in CAUSES.items() for command in commands}


def event_from_before(context: LintContext) -> Iterator[Finding]:
    """Yield each wait for an event that came before a command whose own event has been awaited since."""
    for walk in context.walks if context.scenario else ():
        histories: dict[str | None, _History] = {}
        for visited in walk:
            history = histories.setdefault(visited.vm, _History())
            if visited.step.verb.NAME == "qmp" and visited.step.error is None:
                history.execute(_name(visited.argument, "execute"))
            elif visited.step.verb.NAME == "forget-events":
                history.forget()
            elif visited.step.verb.NAME == "wait-event":
                yield from _check_wait(visited, history)


def _check_wait(visited: VisitedStep, history: _History) -> Iterator[Finding]:
    name = _name(visited.argument, "name")
    is_ordered = isinstance(visited.argument, MappingNode) and visited.argument.get("after") is not None
    since = history.wait(name)
    if since and not is_ordered:
        message = f"this {name} came before '{since}', whose {COMMANDS[since]} has been awaited already"
        hint = f"add 'after: {COMMANDS[since]}' if a later {name} is meant, or wait for it earlier"
        yield Finding(visited.locate(visited.step.span), message, hint)


@dataclass
class _History:
    """The commands of one VM, by position, and the events that they caused and no step has awaited."""

    commands: list[str] = field(default_factory=list)
    pending: dict[str, int] = field(default_factory=dict)
    awaited: set[int] = field(default_factory=set)

    def execute(self, command: str) -> None:
        if command in COMMANDS:
            self.pending.setdefault(COMMANDS[command], len(self.commands))
            self.commands.append(command)

    def forget(self) -> None:
        self.pending.clear()

    def wait(self, event: str) -> str:
        """Await an event; return a later command whose event was awaited before, "" if there is none."""
        position = self.pending.pop(event, None)
        if position is None:
            return ""
        later = [each for each in sorted(self.awaited) if each > position]
        self.awaited.add(position)
        return self.commands[later[0]] if later else ""


def _name(argument: Node, key: str) -> str:
    node = argument.get(key) if isinstance(argument, MappingNode) else argument
    return str(node.value) if isinstance(node, ScalarNode) else ""
