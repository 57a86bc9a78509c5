"""Nodes to typed steps: the verb, its argument, its modifiers, its block. Imports language, schema, steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.errors import Diagnostic, ScenarioError, did_you_mean, mistake
from runner.expressions import template_of
from runner.language import MODIFIERS, RESERVED
from runner.match import check_matcher
from runner.nodes import Entry, Expression, Mapping, Node, Scalar, Sequence, mapping, to_json
from runner.schema import problems
from runner.steps import VERBS
from runner.steps.base import Procedure, Step, Verb


class Findings:
    """Collects diagnostics; as a context it catches a `ScenarioError` raised within."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        self._found += [each for each in diagnostics if each not in self._found]

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, ScenarioError):
            self.extend(error.diagnostics)
            return True
        return False

    def raise_any(self) -> None:
        if self._found:
            raise ScenarioError(
                *sorted(self._found, key=lambda each: (each.span.source.path, each.span.line, each.span.column))
            )


def read_steps(
    node: Node | None, procedures: dict[str, Procedure], confined: bool, found: Findings
) -> tuple[Step, ...]:
    steps = []
    for item in node if isinstance(node, Sequence) else ():
        with found:
            steps.append(_step(item, procedures, confined, found))
    return tuple(steps)


def _step(node: Node, procedures: dict[str, Procedure], confined: bool, found: Findings) -> Step:
    parts = _as_mapping(node)
    entry = _verb_entry(parts)
    verb = VERBS[entry.key]
    _check_keys(parts, verb, entry)
    argument = _argument(parts, verb, entry)
    modifiers = {key: value for key in MODIFIERS if (value := parts.get(key)) is not None}
    step = Step(
        verb,
        entry.span,
        argument,
        _body(parts, verb, entry, procedures, confined, found),
        confined,
        **{key: modifiers.get(key) for key in ("name", "when", "vm", "timeout", "error", "expect")},
        save=_save(modifiers.get("save")),
    )
    for part in (argument, *modifiers.values()):
        check_expressions(part, found)
    for key, value in modifiers.items():
        found.extend(problems(value, MODIFIERS[key], f"'{key}'"))
    for matcher in (step.error, step.expect):
        if matcher is not None:
            check_matcher(matcher)
    findings = argument_problems(verb, argument, confined=confined)
    found.extend(findings)
    if not findings and not argument.dynamic:
        verb.parse(argument)
    return step


def argument_problems(verb: type[Verb], argument: Node, *, confined: bool) -> list[Diagnostic]:
    """Return what the schemas of a verb refuse in its argument; an expression not evaluated yet is not refused."""
    if not verb.COMPANIONS:
        return problems(argument, verb.SCHEMA, f"'{verb.NAME}'", confined=confined)
    assert isinstance(argument, Mapping)
    schemas = {verb.NAME: verb.SCHEMA, **verb.COMPANIONS}
    return [
        each
        for part in argument
        for each in problems(part.value, schemas[part.key], f"'{part.key}'", confined=confined)
    ]


def _as_mapping(node: Node) -> Mapping:
    if isinstance(node, Mapping):
        return node
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return mapping(node.span, (Entry(node.value, node.span, Scalar(node.span, None)),))
    raise mistake(node.span, "a step is a mapping with one verb, or a verb alone", "- shutdown")


def _verb_entry(parts: Mapping) -> Entry:
    verbs = [entry for entry in parts if entry.key in VERBS]
    if len(verbs) == 1:
        return verbs[0]
    if len(verbs) > 1:
        raise mistake(verbs[1].span, f"a second verb, '{verbs[1].key}', in one step", "begin a new step with '-'")
    strange = [entry for entry in parts if entry.key not in MODIFIERS and entry.key not in ("steps", "with")]
    if not strange:
        raise mistake(parts.span, "a step without a verb", f"verbs: {', '.join(VERBS)}")
    key = strange[0]
    raise mistake(key.span, f"unknown verb '{key.key}'", did_you_mean(key.key, VERBS, f"verbs: {', '.join(VERBS)}"))


def _check_keys(parts: Mapping, verb: type[Verb], entry: Entry) -> None:
    companions = (*verb.COMPANIONS, *(("steps",) if verb.TAKES_STEPS else ()))
    known = (verb.NAME, *companions, *MODIFIERS)
    refused = []
    for each in parts:
        if each.key not in known:
            inside = each.key in verb.SCHEMA.get("properties", {})
            hint = f"indent it further: it belongs into '{verb.NAME}'" if inside else ""
            text = f"unknown key '{each.key}' beside '{verb.NAME}'"
            refused.append(
                Diagnostic(each.span, text, hint or did_you_mean(each.key, known, f"keys: {', '.join(known)}"))
            )
        elif each.key in ("save", "expect") and not verb.RESULT and not (each.key == "save" and parts.get("error")):
            refused.append(Diagnostic(each.span, f"'{verb.NAME}' has no result to {each.key}"))
        elif each.key == "error" and not verb.FAILS_WITH:
            refused.append(Diagnostic(each.span, f"'{verb.NAME}' has no error to expect"))
        elif each.key == "expect" and parts.get("error") is not None:
            refused.append(Diagnostic(each.span, "'expect' beside 'error': a step that fails has no result"))
    if refused:
        raise ScenarioError(*refused)
    if verb.TAKES_STEPS and parts.get("steps") is None:
        raise mistake(entry.span, f"'{verb.NAME}' needs 'steps' beside it")


def _argument(parts: Mapping, verb: type[Verb], entry: Entry) -> Node:
    if not verb.COMPANIONS:
        return entry.value
    if isinstance(entry.value, Expression):
        raise mistake(entry.value.span, f"'{verb.NAME}' takes a plain name, not an expression")
    return mapping(parts.span, tuple(each for each in parts if each.key == verb.NAME or each.key in verb.COMPANIONS))


def _body(
    parts: Mapping, verb: type[Verb], entry: Entry, procedures: dict[str, Procedure], confined: bool, found: Findings
) -> tuple[Step, ...]:
    steps = parts.get("steps")
    if steps is None:
        return ()
    if not isinstance(steps, Sequence) or not steps.items:
        raise mistake(steps.span, f"'steps' of '{entry.key}' must be a list of at least one step")
    return read_steps(steps, procedures, confined, found)


def _save(node: Node | None) -> str | None:
    if node is None:
        return None
    name = to_json(node) if isinstance(node, Scalar) else ""
    if name in RESERVED:
        raise mistake(node.span, f"'{name}' means something in expressions already", "choose another name")
    return str(name)


def check_expressions(node: Node, found: Findings) -> None:
    for expression in _expressions(node):
        with found:
            template_of(expression)


def _expressions(node: Node) -> Iterator[Expression]:
    if isinstance(node, Expression):
        yield node
    elif isinstance(node, Sequence):
        for item in node:
            yield from _expressions(item)
    elif isinstance(node, Mapping):
        for entry in node:
            yield from _expressions(entry.value)
