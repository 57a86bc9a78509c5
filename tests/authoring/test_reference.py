"""The generated files that are committed: the schema for editors and the reference of steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from run_scenarios.authoring.reference import extract_example
from run_scenarios.core.nodes import ExpressionNode, JsonValue, MappingNode, Node, SequenceNode, to_json
from run_scenarios.core.source import Source
from run_scenarios.steps import VERBS
from run_scenarios.steps.verb import Verb
from run_scenarios.syntax.yaml_loader import load_text

from tests.support.runnable import find_skipped_files
from tests.support.scenarios import RunSteps

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schema/scenario.schema.json"
SCENARIOS = sorted((ROOT / "scenarios").rglob("*.yaml"))
RIGHT = sorted([*SCENARIOS, *(ROOT / "tests/good").rglob("*.yaml")])
PUBLISHED = json.loads(SCHEMA.read_text(encoding="utf-8"))
VALIDATOR = Draft7Validator(PUBLISHED)


@pytest.mark.parametrize(
    ("option", "file"), [("--print-schema", SCHEMA), ("--print-reference", ROOT / "docs/steps.md")]
)
def test_generated_files_are_up_to_date(run_command: RunSteps, option: str, file: Path) -> None:
    assert run_command(option).stdout == file.read_text(encoding="utf-8"), "run 'make generated'"


def test_the_schema_is_a_valid_schema() -> None:
    assert PUBLISHED["$schema"] == Draft7Validator.META_SCHEMA["$schema"]
    Draft7Validator.check_schema(PUBLISHED)


def test_every_reference_is_defined() -> None:
    assert "#/definitions/step" in _references(PUBLISHED)
    assert _lost(PUBLISHED) == []


@pytest.mark.slow
def test_the_schema_with_qmp_is_a_valid_schema(run_command: RunSteps) -> None:
    schema = json.loads(run_command("--print-schema", "--with-qmp").stdout)
    Draft7Validator.check_schema(schema)
    assert "#/definitions/qmp-command" in _references(schema)
    assert _lost(schema) == []
    validator = Draft7Validator(schema)
    runnable = [file for file in SCENARIOS if file not in find_skipped_files()]
    assert len(runnable) > 10
    wrong = {str(file): _problems(file.read_text(encoding="utf-8"), validator) for file in runnable}
    assert {file: found for file, found in wrong.items() if found} == {}
    assert _problems("scenario: a test\nsteps:\n  - qmp: query-blok\n", validator) != []


def test_with_qmp_needs_print_schema(run_command: RunSteps, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_command("--with-qmp")
    assert "--with-qmp does nothing without --print-schema" in capsys.readouterr().err


@pytest.mark.parametrize("file", RIGHT, ids=lambda file: file.stem)
def test_a_valid_file_is_accepted(file: Path) -> None:
    assert _problems(file.read_bytes().decode("utf-8-sig")) == []


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.NAME)
def test_the_example_of_a_verb_is_valid(verb: type[Verb]) -> None:
    assert f"- {verb.NAME}" in extract_example(verb)
    assert _problems(f"scenario: a test\nsteps:\n{extract_example(verb)}") == []


@pytest.mark.parametrize(
    "name",
    [
        "file/no-steps",
        "file/unknown-key",
        "verbs/modifier-misspelt",
        "verbs/two",
        "verbs/unknown-with-argument",
        "calls/with-beside-another-verb",
        "matchers/expect-on-a-verb-without",
        "matchers/error-on-a-verb-without",
        "flow/for-each-without-steps",
        "verbs/keys-disk",
        "values/sizes",
        "values/bytes",
        "values/durations",
        "verbs/modifiers-wrong-types",
        "file/requires-empty",
    ],
)
def test_an_invalid_file_is_refused(name: str) -> None:
    assert _problems((ROOT / f"tests/bad/{name}.yaml").read_text(encoding="utf-8")) != []


def _problems(text: str, validator: Draft7Validator = VALIDATOR) -> list[str]:
    document = _as_written(load_text(Source("a.yaml", text)))
    return [each.message for each in validator.iter_errors(document)]


def _as_written(node: Node) -> JsonValue:
    """Return the value of a node as an editor reads it: an expression is a string."""
    match node:
        case ExpressionNode():
            return node.text
        case SequenceNode():
            return [_as_written(item) for item in node]
        case MappingNode():
            return {entry.key: _as_written(entry.value) for entry in node}
    return to_json(node)


def _lost(schema: Any) -> list[str]:
    """Return the references to definitions that do not exist."""
    lost = []
    for reference in _references(schema):
        target = schema
        for key in reference.removeprefix("#/").split("/"):
            target = target.get(key, {})
        lost += [] if target else [reference]
    return lost


def _references(schema: object) -> set[str]:
    if isinstance(schema, list):
        return {each for item in schema for each in _references(item)}
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set()
    return own.union(*map(_references, schema.values()))
