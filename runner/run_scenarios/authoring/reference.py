"""The reference of steps, as it is published. Imports language and steps."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

from run_scenarios.scenario.file_schema import MODIFIERS
from run_scenarios.steps import VERBS
from run_scenarios.steps.verb import Verb
from run_scenarios.syntax.matchers import OPERATORS

KINDS = {"object": "mapping", "array": "list", "null": "nothing"}


def needs_no_argument(verb: type[Verb]) -> bool:
    """Tell whether a verb may stand alone as a string."""
    branches = verb.SCHEMA.get("anyOf", [verb.SCHEMA])
    return any(branch.get("type") == "null" for branch in branches)


def extract_documentation(verb: type[Verb]) -> str:
    """Return a verb's documentation as Markdown."""
    return re.sub(
        r"\.\. code-block:: yaml\n\n((?:    .*\n|\n)+)", _fenced, inspect.cleandoc(verb.__doc__ or "") + "\n"
    ).strip()


def _fenced(found: re.Match[str]) -> str:
    return f"```yaml\n{textwrap.dedent(found[1]).strip()}\n```\n"


def extract_example(verb: type[Verb]) -> str:
    """Return the YAML steps in a verb's documentation."""
    found = re.search(r"```yaml\n(.*?)```", extract_documentation(verb), re.DOTALL)
    return found[1] if found else ""


def render_step_reference() -> str:
    """Return the reference of all verbs, modifiers and operators as Markdown."""
    verbs = map(render_verb, VERBS.values())
    return "\n\n".join([REFERENCE_HEAD.strip(), _modifier_table(), "## Verbs", *verbs, _operator_table()])


REFERENCE_HEAD = """
# Step reference

Generated from the verbs themselves by `run-scenarios --print-reference`. A step is a mapping with exactly one verb, and
modifiers beside it; a verb that needs nothing may stand alone: `- shutdown`. Any value may be an expression:
`"{{ … }}"`.
"""


def _modifier_table() -> str:
    rows = [f"| `{key}` | {schema['description']} |" for key, schema in MODIFIERS.items()]
    return "\n".join(["## Modifiers", "", "| modifier | meaning |", "|---|---|", *rows])


def _operator_table() -> str:
    rows = [f"| `{name}` | {operator.doc} |" for name, operator in OPERATORS.items()]
    text = "A mapping matches a superset, a list exactly, a scalar by value and type. An operator stands alone:"
    return "\n".join(["## Expected values", "", text, "", "| operator | matches |", "|---|---|", *rows])


def render_verb(verb: type[Verb]) -> str:
    """Return the reference of one verb as Markdown."""
    lines = [f"### `{verb.NAME}`", extract_documentation(verb)]
    table = _key_table(verb)
    if table:
        lines.append(table)
    if verb.RESULT:
        lines.append(f"`save` and `expect` get: {verb.RESULT}.")
    if verb.FAILS_WITH:
        lines.append(f"`error` is matched against: {verb.FAILS_WITH}.")
    return "\n\n".join(lines)


def _key_table(verb: type[Verb]) -> str:
    branches = [*verb.SCHEMA.get("anyOf", [verb.SCHEMA]), {"properties": verb.SIBLING_KEYS}]
    rows = []
    for branch in branches:
        for key, schema in branch.get("properties", {}).items():
            needed = " (needed)" if key in branch.get("required", []) else ""
            rows.append(f"| `{key}`{needed} | {describe_type(schema)} | {schema.get('description', '')} |")
    return "\n".join(["| key | type | meaning |", "|---|---|---|", *rows]) if rows else ""


def describe_type(schema: dict[str, Any]) -> str:
    """Return in words what a schema takes: "`leaks` or `all`", "integer", "list of mappings with `at`, `size`"."""
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    if "title" in schema:
        return str(schema["title"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(describe_type(branch) for branch in schema["anyOf"]))
    if schema.get("x-case-file"):
        return "file"
    if schema.get("type") == "array":
        return f"list of: {describe_type(schema.get('items', {}))}"
    if schema.get("properties"):
        return f"mapping with {', '.join(f'`{key}`' for key in schema['properties'])}"
    kinds = schema.get("type", "any value")
    return " or ".join(KINDS.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))
