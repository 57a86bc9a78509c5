"""The shape of a scenario file, as JSON Schema: its keys, and the modifiers of a step. Imports steps.shapes."""

from __future__ import annotations

from typing import Any

from run_scenarios.qemu.programs import TOOLS
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    DURATION_SCHEMA,
    FORMAT,
    TEXT,
    VARIABLE,
    document,
    enum_schema,
    list_schema,
    object_schema,
)
from run_scenarios.steps.call import PARAMETER_TYPES
from run_scenarios.steps.verb import ControlFlowVerb, Verb

RESERVED_NAMES = frozenset(
    {"omit", "self", "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else"}
)
NAMES = document(list_schema(TEXT), "names")
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
        "exclude": document(list_schema(COMBINATION), "combinations to leave out, and `because`"),
        "include": document(list_schema(COMBINATION), "further combinations"),
    },
    "propertyNames": VARIABLE,
    "additionalProperties": list_schema(SCALAR),
}
VARIABLES: dict[str, Any] = {
    "type": "object",
    "description": "variables with their values, which `-D name=value` on the command line replaces",
    "minProperties": 1,
    "propertyNames": VARIABLE,
}
FEATURE: dict[str, Any] = {"type": "string", "pattern": "^[^/]+/[^/]+$", "title": "a `command/feature`"}
REQUIRES: dict[str, Any] = object_schema(
    [],
    qemu=document(
        {"type": "string", "pattern": r"^\s*(>=|<)\s*[0-9]+(\.[0-9]+){0,2}\s*$", "title": "a version such as '>= 8.0'"},
        "the version of QEMU, such as `>= 8.0`",
    ),
    commands=document(NAMES, "QMP commands"),
    features=document(list_schema(FEATURE), "features of QMP commands or events, as `command/feature`"),
    formats=document(list_schema(FORMAT), "image formats that qemu-img knows"),
    tools=document(list_schema(enum_schema(*TOOLS)), "programs that must be there"),
    accelerators=document(NAMES, "accelerators that QEMU was built with"),
)
REQUIRES["minProperties"] = 1
PROCEDURE: dict[str, Any] = object_schema(
    ["steps"],
    summary=document(TEXT, "what it does, for the reader"),
    parameters={
        "type": "object",
        "description": "its parameters, each with its type or as `{type, default}`",
        "propertyNames": VARIABLE,
        "additionalProperties": {
            "anyOf": [
                enum_schema(*PARAMETER_TYPES),
                object_schema(["type"], type=enum_schema(*PARAMETER_TYPES), default={}),
            ],
        },
    },
    steps=document({"type": "array", "minItems": 1}, "its steps"),
    returns={"description": "the value of the call, as an expression or a mapping of them"},
)
PROCEDURES: dict[str, Any] = {
    "type": "object",
    "description": "procedures of this file, by name",
    "minProperties": 1,
    "additionalProperties": PROCEDURE,
}
SHARED: dict[str, Any] = {
    "import_": document(list_schema(TEXT), "files of procedures, relative to this one"),
    "procedures": PROCEDURES,
    "allow_outside_paths": document(
        BOOLEAN, "steps of this file reach outside the case's directory; needs `--allow-outside`"
    ),
}
SCENARIO: dict[str, Any] = object_schema(
    ["scenario", "steps"],
    scenario=document(TEXT, "the title"),
    summary=document(TEXT, "what it shows"),
    tags=document(list_schema(TEXT), "words to select it by"),
    requires=document(REQUIRES, "what the QEMU under test must offer; without it the cases are skipped"),
    variables=VARIABLES,
    matrix=MATRIX,
    timeout=document(DURATION_SCHEMA, "how long one case may take; 180 s by default"),
    expected_failure=document(TEXT, "why it is known to fail; then it is reported as TODO, and as failed if it passes"),
    steps=document({"type": "array", "minItems": 1}, "the steps"),
    **SHARED,
)
LIBRARY: dict[str, Any] = object_schema(["procedures"], summary=document(TEXT, "what the file offers"), **SHARED)
# Files are named after a VM: its name must be no path.
VM_NAME: dict[str, Any] = {
    "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$",
    "title": "a name of up to 64 ASCII letters, digits, '_', '.' and '-'",
}
MODIFIERS: dict[str, Any] = {
    "name": document(TEXT, "what the step is for, shown in reports"),
    "when": document({"anyOf": [{"type": "boolean"}]}, "run the step only if this expression is true"),
    "vm": document({"type": "string", **VM_NAME}, "the VM that the step is about; `vm` by default"),
    "timeout": document(DURATION_SCHEMA, "how long the step may take; 60 s by default"),
    "save": document({"type": "string", **VARIABLE}, "a variable for the step's result"),
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
    if issubclass(verb, ControlFlowVerb):
        refused.add("vm")
    return [key for key in MODIFIERS if key not in refused]
