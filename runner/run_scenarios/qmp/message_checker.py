"""Compare QMP messages, and the expected values of results and events, with the schema of a program."""

from __future__ import annotations

from collections.abc import Iterator

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean
from run_scenarios.core.nodes import Entry, MappingNode, Node, ScalarNode
from run_scenarios.core.source import Span
from run_scenarios.qmp.expectation_checker import check_expected
from run_scenarios.qmp.schema import ANY_EVENT, QmpSchema
from run_scenarios.qmp.type_checker import TypeChecker, warn_if_deprecated

# Takes the device's properties too, which no introspection lists. Source: qapi/qdev.json, 'gen': false.
OPEN_COMMANDS = frozenset({"device_add"})


def check_message(message: Node, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what is wrong with a QMP command: `{execute or exec-oob, arguments}`, or its name alone.

    A deprecated name is a diagnostic of severity "warning".
    """
    entry = find_command(message)
    name = entry.value if entry else message
    if not isinstance(name, ScalarNode) or not isinstance(name.value, str):
        return
    command = schema.commands.get(name.value)
    if command is None:
        yield _report_unknown(name.span, "command", name.value, tuple(schema.commands), schema)
        return
    if entry and entry.key == "exec-oob" and not command.allow_oob:
        capable = [each for each in schema.commands if schema.commands[each].allow_oob]
        hint = f"commands that can: {', '.join(capable) or 'none'} ({schema})"
        yield Diagnostic(name.span, f"'{name.value}' cannot be executed out of band", hint)
    if command.features:
        yield from warn_if_deprecated(name.span, f"'{name.value}'", command.features, schema)
    given = message.entry("arguments") if isinstance(message, MappingNode) else None
    yield from check_arguments(name.value, given.value if given else None, given.span if given else name.span, schema)


def check_arguments(command: str, arguments: Node | None, span: Span, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what is wrong with the arguments of a command that `schema` has.

    :param arguments: None if the message has none.
    :param span: the place to report for a missing argument.
    """
    check = TypeChecker(schema, f"'{command}'", "argument", is_open=command in OPEN_COMMANDS)
    node = MappingNode(span, (), dynamic=False) if arguments is None else arguments
    yield from check.check_value(schema.commands[command].arguments, node, "", span)


def check_event_name(name: Node, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what is wrong with the name of an event."""
    if not isinstance(name, ScalarNode) or not isinstance(name.value, str):
        return
    event = schema.events.get(name.value)
    if event is None:
        yield _report_unknown(name.span, "event", name.value, tuple(schema.events), schema)
    else:
        yield from warn_if_deprecated(name.span, f"event '{name.value}'", event.features, schema)


def check_event(name: str, expected: Node, schema: QmpSchema) -> Iterator[Diagnostic]:
    """Yield what in an expected value an event can never have.

    :param name: the event's name; "" for any event, unless `expected` names one.
    """
    node = expected.get("event") if isinstance(expected, MappingNode) and not name else None
    if isinstance(node, ScalarNode) and node.value in schema.events:
        name = str(node.value)
    event = schema.events.get(name)
    subject = f"event '{name}'" if name else "an event"
    yield from check_expected(expected, event.message if event else ANY_EVENT, subject, schema)


def find_command(message: Node) -> Entry | None:
    """Return the entry that names the command of a message, None for a message that is a name alone."""
    if not isinstance(message, MappingNode):
        return None
    return message.entry("execute") or message.entry("exec-oob")


def _report_unknown(span: Span, what: str, name: str, known: tuple[str, ...], schema: QmpSchema) -> Diagnostic:
    hint = did_you_mean(name, known, "if another QEMU has it, list it in 'requires'")
    return Diagnostic(span, f"there is no {what} '{name}'", f"{hint} ({schema})")
