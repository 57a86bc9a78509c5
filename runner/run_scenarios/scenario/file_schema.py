"""The shape of a scenario file, as JSON Schema: its keys, and the modifiers of a step. Imports steps.shapes."""

from __future__ import annotations

from typing import Any

from run_scenarios.qemu.environment import TOOLS
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    DURATION_SCHEMA,
    FORMAT,
    TEXT,
    VARIABLE,
    described,
    list_of,
    one_of,
    record,
)
from run_scenarios.steps.call import PARAMETER_TYPES
from run_scenarios.steps.verb import FlowVerb, Verb

RESERVED_NAMES = frozenset(
    {"omit", "self", "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else"}
)
NAMES = described(list_of(TEXT), "names")
SCALAR: dict[str, Any] = {"type": ["string", "integer", "number", "boolean", "null"]}
COMBINATION: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "properties": {"because": TEXT},
    "additionalProperties": SCALAR,
}
MATRIX: dict[str, Any] = {
    "type": "object",
    "description": "the dimensions with their values; the file becomes one case for each combination",
    "minProperties": 1,
    "properties": {
        "exclude": described(list_of(COMBINATION), "combinations to leave out, and `because`"),
        "include": described(list_of(COMBINATION), "further combinations"),
    },
    "propertyNames": VARIABLE,
    "additionalProperties": list_of(SCALAR),
}
VARIABLES: dict[str, Any] = {
    "type": "object",
    "description": "variables with their values, which `-D name=value` on the command line replaces",
    "minProperties": 1,
    "propertyNames": VARIABLE,
}
FEATURE: dict[str, Any] = {"type": "string", "pattern": "^[^/]+/[^/]+$", "title": "a `command/feature`"}
REQUIRES: dict[str, Any] = record(
    [],
    qemu=described(
        {"type": "string", "pattern": r"^\s*(>=|<)\s*[0-9]+(\.[0-9]+){0,2}\s*$", "title": "a version such as '>= 8.0'"},
        "the version of QEMU, such as `>= 8.0`",
    ),
    commands=described(NAMES, "QMP commands"),
    features=described(list_of(FEATURE), "features of QMP commands or events, as `command/feature`"),
    formats=described(list_of(FORMAT), "image formats that qemu-img knows"),
    tools=described(list_of(one_of(*TOOLS)), "programs that must be there"),
    accelerators=described(NAMES, "accelerators that QEMU was built with"),
)
REQUIRES["minProperties"] = 1
PROCEDURE: dict[str, Any] = record(
    ["steps"],
    summary=described(TEXT, "what it does, for the reader"),
    parameters={
        "type": "object",
        "description": "its parameters, each with its type or as `{type, default}`",
        "propertyNames": VARIABLE,
        "additionalProperties": {
            "anyOf": [one_of(*PARAMETER_TYPES), record(["type"], type=one_of(*PARAMETER_TYPES), default={})],
        },
    },
    steps=described({"type": "array", "minItems": 1}, "its steps"),
    returns={"description": "the value of the call, as an expression or a mapping of them"},
)
PROCEDURES: dict[str, Any] = {
    "type": "object",
    "description": "procedures of this file, by name",
    "minProperties": 1,
    "additionalProperties": PROCEDURE,
}
SHARED: dict[str, Any] = {
    "import_": described(list_of(TEXT), "files of procedures, relative to this one"),
    "procedures": PROCEDURES,
    "allow_outside_paths": described(
        BOOLEAN, "steps of this file reach outside the case's directory; needs `--allow-outside`"
    ),
}
SCENARIO: dict[str, Any] = record(
    ["scenario", "steps"],
    scenario=described(TEXT, "the title"),
    summary=described(TEXT, "what it shows"),
    tags=described(list_of(TEXT), "words to select it by"),
    requires=described(REQUIRES, "what the QEMU under test must offer; without it the cases are skipped"),
    variables=VARIABLES,
    matrix=MATRIX,
    timeout=described(DURATION_SCHEMA, "how long one case may take; 180 s by default"),
    expected_failure=described(
        TEXT, "why it is known to fail; then it is reported as TODO, and as failed if it passes"
    ),
    steps=described({"type": "array", "minItems": 1}, "the steps"),
    **SHARED,
)
LIBRARY: dict[str, Any] = record(["procedures"], summary=described(TEXT, "what the file offers"), **SHARED)
# Files are named after a VM: its name must be no path.
VM_NAME: dict[str, Any] = {
    "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$",
    "title": "a name of up to 64 ASCII letters, digits, '_', '.' and '-'",
}
MODIFIERS: dict[str, Any] = {
    "name": described(TEXT, "what the step is for, shown in reports"),
    "when": described({"anyOf": [{"type": "boolean"}]}, "run the step only if this expression is true"),
    "vm": described({"type": "string", **VM_NAME}, "the VM that the step is about; `vm` by default"),
    "timeout": described(DURATION_SCHEMA, "how long the step may take; 60 s by default"),
    "save": described({"type": "string", **VARIABLE}, "a variable for the step's result"),
    "error": {
        "type": "object",
        "minProperties": 1,
        "description": "how the step must fail: an expected value for its error",
    },
    "expect": {"description": "what must hold of the step's result: an expected value"},
}


def list_allowed_modifiers(verb: type[Verb]) -> list[str]:
    """Return the modifiers that may stand beside a verb."""
    refused = set()
    if not verb.RESULT:
        refused.add("expect")
    if not verb.FAILS_WITH:
        refused.add("error")
    if not verb.RESULT and not verb.FAILS_WITH:
        refused.add("save")
    if issubclass(verb, FlowVerb):
        refused.add("vm")
    return [key for key in MODIFIERS if key not in refused]
