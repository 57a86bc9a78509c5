"""The JSON Schema of scenario files: their keys, and the modifiers of a step. Editors show the descriptions."""

from __future__ import annotations

from typing import Any

from run_scenarios.qemu.programs import TOOLS
from run_scenarios.scenario import expected_failures
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    DURATION_SCHEMA,
    FORMAT,
    TEXT,
    VARIABLE,
    VERSION_RANGE,
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
    "description": "dimensions with their values; each combination is a case",
    "minProperties": 1,
    "properties": {
        "exclude": document(list_schema(COMBINATION), "combinations to leave out; `because` may say why"),
        "include": document(list_schema(COMBINATION), "combinations to add; `because` may say why"),
    },
    "propertyNames": VARIABLE,
    "additionalProperties": list_schema(SCALAR),
}
VARIABLES: dict[str, Any] = {
    "type": "object",
    "description": "variables with their values; `-D name=value` on the command line replaces a value",
    "minProperties": 1,
    "propertyNames": VARIABLE,
}
FEATURE: dict[str, Any] = {"type": "string", "pattern": "^[^/]+/[^/]+$", "title": "a `command/feature`"}
REQUIRES: dict[str, Any] = object_schema(
    [],
    qemu=document(VERSION_RANGE, "a range of versions of QEMU, such as `>= 8.0` or `< 9.0`"),
    commands=document(NAMES, "QMP commands that QEMU must have"),
    features=document(
        list_schema(FEATURE), "features of QMP commands or events that QEMU must have, as `command/feature`"
    ),
    formats=document(list_schema(FORMAT), "image formats that qemu-img must support"),
    tools=document(list_schema(enum_schema(*TOOLS)), "programs that must be installed"),
    accelerators=document(NAMES, "accelerators that QEMU must have been built with, such as `kvm`"),
)
REQUIRES["minProperties"] = 1
PROCEDURE: dict[str, Any] = object_schema(
    ["steps"],
    summary=document(TEXT, "what the procedure does"),
    parameters={
        "type": "object",
        "description": "the parameters; each has a type, or `{type, default}`",
        "propertyNames": VARIABLE,
        "additionalProperties": {
            "anyOf": [
                enum_schema(*PARAMETER_TYPES),
                object_schema(["type"], type=enum_schema(*PARAMETER_TYPES), default={}),
            ],
        },
    },
    steps=document({"type": "array", "minItems": 1}, "the steps"),
    returns={"description": "the result of a call: an expression, or a mapping with expressions"},
)
PROCEDURES: dict[str, Any] = {
    "type": "object",
    "description": "the procedures of this file, by name",
    "minProperties": 1,
    "additionalProperties": PROCEDURE,
}
SHARED: dict[str, Any] = {
    "import_": document(list_schema(TEXT), "files of procedures, relative to this file"),
    "procedures": PROCEDURES,
    "allow_outside_paths": document(
        BOOLEAN,
        "whether the steps in this file may reach outside the case's directory; if so, it needs `--allow-outside`",
    ),
}
SCENARIO: dict[str, Any] = object_schema(
    ["scenario", "steps"],
    scenario=document(TEXT, "the title"),
    summary=document(TEXT, "what the scenario shows"),
    tags=document(list_schema(TEXT), "words that classify the scenario, for selection and reports"),
    requires=document(REQUIRES, "what the QEMU under test must offer; if something is missing, the cases are skipped"),
    variables=VARIABLES,
    matrix=MATRIX,
    timeout=document(DURATION_SCHEMA, "the time limit of a case; 180 s by default"),
    expected_failure=expected_failures.SCHEMA,
    steps=document({"type": "array", "minItems": 1}, "the steps"),
    **SHARED,
)
LIBRARY: dict[str, Any] = object_schema(["procedures"], summary=document(TEXT, "what the procedures are for"), **SHARED)
# Files are named after a VM, so its name must not be a path.
VM_NAME: dict[str, Any] = {
    "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$",
    "title": "a name of up to 64 ASCII letters, digits, '_', '.' and '-'",
}
MODIFIERS: dict[str, Any] = {
    "name": document(TEXT, "what the step does, shown in reports"),
    "when": document({"anyOf": [{"type": "boolean"}]}, "run the step only if this is true"),
    "vm": document({"type": "string", **VM_NAME}, "the VM that the step uses; `vm` by default"),
    "timeout": document(DURATION_SCHEMA, "the time limit of the step; 60 s by default"),
    "save": document({"type": "string", **VARIABLE}, "store the step's result in this variable"),
    "error": {
        "type": "object",
        "minProperties": 1,
        "description": "the step must fail, and its error must match this expected value",
    },
    "expect": {"description": "the step's result must match this expected value"},
}


def list_allowed_modifiers(verb: type[Verb]) -> list[str]:
    """Return the modifiers that a verb takes."""
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
