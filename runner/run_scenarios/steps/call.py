"""The verb `call`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.diagnostics import Diagnostic, did_you_mean, find_closest
from run_scenarios.core.errors import ScenarioError, scenario_error
from run_scenarios.core.json_types import type_name
from run_scenarios.core.nodes import UNKNOWN, Entry, JsonValue, MappingNode, Node, UnknownValue, to_json
from run_scenarios.core.source import Span
from run_scenarios.steps.argument_types import SIZE, TEXT, document, parse_text
from run_scenarios.steps.scope import Block, Parameter, Procedure, Scope
from run_scenarios.steps.verb import Context, ControlFlowVerb, Step
from run_scenarios.syntax.render import render
from run_scenarios.syntax.sizes import parse_byte_size

PARAMETER_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "size": (int, str),
    "list": (list,),
    "mapping": (dict,),
    "any": (str, int, float, bool, list, dict, type(None)),
}


@dataclass(frozen=True)
class Call(ControlFlowVerb):
    """Call a procedure that this file declares or imports, with the arguments in `with`.

    The procedure sees its arguments but not the caller's variables. The value of its `returns` can be saved.

    .. code-block:: yaml

        - call: back-up-fully
          with: {device: drive0, target: full.qcow2}
    """

    NAME = "call"
    MUTATORS = ()
    RESULT = "the value of the procedure's `returns`"
    SCHEMA: ClassVar[dict[str, Any]] = document(TEXT, "name of the procedure")
    SIBLING_KEYS: ClassVar[dict[str, Any]] = {"with": {"type": "object", "description": "arguments by parameter name"}}

    name: str
    name_span: Span
    arguments: Node | None
    span: Span

    @classmethod
    def parse(cls, argument: Any) -> Self:
        name, arguments = argument.get(cls.NAME), argument.get("with")
        return cls(parse_text(name), name.span, arguments, argument.span)

    def find_procedure(self, scope: Scope) -> Procedure:
        """Return the called procedure.

        :raise ScenarioError: if no procedure has this name.
        """
        if self.name not in scope.procedures:
            known = ", ".join(scope.procedures) or "none; is an 'import' missing?"
            hint = did_you_mean(self.name, scope.procedures, f"procedures: {known}")
            raise scenario_error(self.name_span, f"there is no procedure '{self.name}'", hint)
        return scope.procedures[self.name]

    def unfold(self, scope: Scope, body: tuple[Step, ...]) -> Iterator[Block]:
        procedure = self.find_procedure(scope)
        yield Block(procedure.steps, Scope(self._bind_arguments(procedure), procedure.visible))

    async def run(self, context: Context) -> JsonValue:
        (block,) = self.unfold(context.scope, context.body)
        await context.run_block(block)
        returns = self.find_procedure(context.scope).returns
        return None if returns is None else to_json(render(returns, block.scope.variables))

    def _bind_arguments(self, procedure: Procedure) -> dict[str, JsonValue | UnknownValue]:
        if self.arguments is not None and not isinstance(self.arguments, MappingNode):
            return dict.fromkeys(procedure.parameters, UNKNOWN)
        entries = self.arguments.entries if self.arguments else ()
        given = {entry.key: entry.value for entry in entries}
        unknown = [entry for entry in entries if entry.key not in procedure.parameters]
        errors = [self._report_unknown(entry, procedure) for entry in unknown]
        misspelt = {find_closest(entry.key, procedure.parameters) for entry in unknown}
        values: dict[str, JsonValue | UnknownValue] = {}
        for parameter in procedure.parameters.values():
            if parameter.name in misspelt:
                continue
            try:
                values[parameter.name] = self._bind_argument(parameter, given)
            except ScenarioError as error:
                errors += error.diagnostics
        if errors:
            raise ScenarioError(*errors)
        return values

    def _report_unknown(self, entry: Entry, procedure: Procedure) -> Diagnostic:
        known = ", ".join(procedure.parameters) or "none"
        hint = did_you_mean(entry.key, procedure.parameters, f"parameters: {known}")
        return Diagnostic(entry.span, f"procedure '{self.name}' has no parameter '{entry.key}'", hint)

    def _bind_argument(self, parameter: Parameter, given: dict[str, Node]) -> JsonValue | UnknownValue:
        node = given.get(parameter.name, parameter.default)
        if node is None:
            declared = f"it is declared at {parameter.span}"
            raise scenario_error(
                self.name_span, f"procedure '{self.name}' needs the argument '{parameter.name}'", declared
            )
        if node.dynamic:
            return UNKNOWN
        value = to_json(node)
        check_type(value, parameter.type, node.span, f"'{parameter.name}' of procedure '{self.name}'")
        return value


def check_type(value: JsonValue, kind: str, span: Span, what: str) -> None:
    """Check a value against a parameter's declared type.

    :raise ScenarioError: if it has another type.
    """
    fits = isinstance(value, PARAMETER_TYPES[kind]) and isinstance(value, bool) <= (kind in ("boolean", "any"))
    if not fits or (kind == "size" and not _is_size(value)):
        wanted = SIZE["title"] if kind == "size" else f"of type {kind}"
        raise scenario_error(span, f"{what} must be {wanted}, not {type_name(value)}")


def _is_size(value: JsonValue) -> bool:
    try:
        return parse_byte_size(str(value)) >= 0
    except ValueError:
        return False
