"""What a schema refuses is said in the author's words, at the exact place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from run_scenarios.collection.collector import collect
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import UNKNOWN, Entry, Node, ScalarNode, UnknownNode, make_mapping, make_sequence
from run_scenarios.core.source import Source, Span
from run_scenarios.scenario import parser, step_parser
from run_scenarios.scenario.file_schema import LIBRARY, MODIFIERS, SCENARIO
from run_scenarios.steps import VERBS
from run_scenarios.steps.argument_types import (
    BYTE,
    DURATION_SCHEMA,
    FILE,
    IMAGE,
    NOTHING,
    SIZE,
    enum_schema,
    list_schema,
    object_schema,
)
from run_scenarios.syntax.file_names import find_name_problem
from run_scenarios.syntax.schema_errors import explain_schema_errors
from run_scenarios.syntax.schema_validator import Schema, find_schema_errors, is_accepted
from run_scenarios.syntax.yaml_loader import load_text


def found(text: str, schema: dict[str, Any], *, confined: bool = True) -> list[str]:
    node = load_text(Source("a.yaml", text))
    return [each.render() for each in find_schema_errors(node, schema, "the thing", confined=confined)]


THING = object_schema(
    ["file", "byte"], file=FILE, byte=BYTE, size=SIZE, kind=enum_schema("one", "two"), list=list_schema(BYTE)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{byte: 1}", "a.yaml:1:1: error: the thing needs 'file'"),
        ("{file: a, byt: 1}", "a.yaml:1:11: error: unknown key 'byt' in the thing"),
        ("{file: a, byte: 256}", "a.yaml:1:17: error: 'byte' must be at most 255"),
        ("{file: a, byte: '1'}", "a.yaml:1:17: error: 'byte' must be an integer, not a string (\"1\")"),
        ("{file: a, byte: [1]}", "a.yaml:1:11: error: 'byte' must be an integer, not a list"),
        ("{file: a, byte: }", "a.yaml:1:11: error: 'byte' must be an integer, not null"),
        ("{file: a, byte: true}", "a.yaml:1:17: error: 'byte' must be an integer, not a boolean (true)"),
        ("{file: a, byte: 1, size: big}", "a.yaml:1:26: error: 'size' must be a size such as 512, 64k, 1M or 64KiB"),
        ("{file: a, byte: 1, kind: tow}", "did you mean 'two'?"),
        ("{file: a, byte: 1, kind: 5}", "'kind' must be a string, not an integer (5)"),
        ("{file: a, byte: 1, list: []}", "'list' must not be empty"),
        ("{file: a, byte: 1, list: [1, 300]}", "a.yaml:1:30: error: item 2 of 'list' must be at most 255"),
        ("{file: ../a, byte: 1}", "a.yaml:1:8: error: '../a' leads out of the case's directory"),
        ("{file: -a, byte: 1}", "write './-a'"),
    ],
)
def test_one_mistake_is_one_message(text: str, said: str) -> None:
    (message,) = found(text, THING)
    assert said in message


def test_all_mistakes_are_found() -> None:
    assert len(found("{file: /a, byte: 300, size: -1, x: 1}", THING)) == 4


def test_what_is_not_known_yet_is_not_refused() -> None:
    assert found('{file: "{{ a }}", byte: "{{ b }}", size: "{{ c }}", kind: "{{ d }}", list: "{{ e }}"}', THING) == []
    assert found('{file: a, byte: 1, list: ["{{ a }}", 300]}', THING) != []


def test_a_choice_is_explained_by_the_branch_that_was_meant() -> None:
    assert "unknown key 'fromat' in 'the thing'" not in found("{file: a, fromat: raw}", IMAGE)[0]
    assert "did you mean 'format'?" in found("{file: a, fromat: raw}", IMAGE)[0]
    assert "must be a string or a mapping, not a list" in found("[a]", IMAGE)[0]


def test_no_argument() -> None:
    assert "the thing takes no argument" in found("{a: 1}", NOTHING)[0]


@pytest.mark.parametrize("text", ["0", "-1", "0s", "0.0ms", "1h", "10 sec", "''", "true"])
def test_what_is_no_duration(text: str) -> None:
    assert "must be a duration such as" in found(f"- {text}", list_schema(DURATION_SCHEMA))[0]


def test_thousands_of_unknown_keys_are_not_all_explained() -> None:
    assert len(found("\n".join(f"k{number}: 1" for number in range(5000)), object_schema([], a=BYTE))) == 20


@pytest.mark.parametrize("name", ["/a", "../a", "a/../../b", "..", "nbd:x", "json:{}", "file:a", "a+b:c", "//a"])
def test_a_name_that_leads_outside(name: str) -> None:
    assert find_name_problem(name)


@pytest.mark.parametrize("name", ["a", "./a", "./nbd:a", "a/b", "..a", "a..", "a/nbd:x", "ä ö"])
def test_a_name_that_stays_inside(name: str) -> None:
    assert not find_name_problem(name)


def test_a_scenario_may_allow_outside_paths_but_not_options() -> None:
    assert found("{file: /a, byte: 1}", THING, confined=False) == []
    assert found("{file: -a, byte: 1}", THING, confined=False) != []


def every_schema() -> Iterator[dict[str, Any]]:
    """Yield each schema that a node is checked against."""
    yield from (SCENARIO, LIBRARY, *MODIFIERS.values())
    for verb in VERBS.values():
        yield from (verb.SCHEMA, *verb.SIBLING_KEYS.values())


def parts_of(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a schema and those within it, with their place in it."""
    yield schema
    within = [*schema.get("anyOf", ()), *schema.get("properties", {}).values()]
    within += [schema[key] for key in ("items", "additionalProperties", "propertyNames") if key in schema]
    for each in within:
        if isinstance(each, dict):
            yield from parts_of(each)


def likely(schema: dict[str, Any], chance: Random, depth: int = 0) -> Any:
    """Return a value that a schema may well accept; often nearly so."""
    if "anyOf" in schema:
        return likely(chance.choice(schema["anyOf"]), chance, depth)
    if chance.random() < 0.15 or depth > 4:
        return chance.choice(STRANGE)
    if "enum" in schema:
        return chance.choice(schema["enum"])
    kinds = schema.get("type", "string")
    match chance.choice(kinds) if isinstance(kinds, list) else kinds:
        case "object":
            known = schema.get("properties", {})
            keys = [*schema.get("required", ()), *(key for key in known if chance.random() < 0.3)]
            keys += chance.choices(["x", "y-z", "$any", *known], k=chance.choice([0, 0, 1]))
            further = schema.get("additionalProperties")
            other = further if isinstance(further, dict) else {}
            return {key: likely(known.get(key, other), chance, depth + 1) for key in keys if chance.random() < 0.95}
        case "array":
            return [likely(schema.get("items", {}), chance, depth + 1) for _ in range(chance.choice([0, 1, 1, 2, 3]))]
        case "string":
            return chance.choice(["drive0.qcow2", "64k", "10s", "name", "block/feature", ">= 8.0", "", "1.5M", "a/b"])
        case "boolean":
            return chance.choice([True, False])
        case "null":
            return None
        case _:
            return chance.choice([0, 1, 255, 256, -1, 1 << 70, 1.0, 0.5])


STRANGE = [None, True, 0, -1, 1.0, 2.5, "", "x", "../x", "/x", "-x", "json:{}", "a:b", [], {}, [1], {"x": 1}, UNKNOWN]


def as_node(value: Any) -> Node:
    """Return a value as a node, `UNKNOWN` as one that is not known yet."""
    span = Span(Source("a.yaml", ""), 1, 1)
    if value is UNKNOWN:
        return UnknownNode(span)
    if isinstance(value, list):
        return make_sequence(span, tuple(map(as_node, value)))
    if isinstance(value, dict):
        return make_mapping(span, tuple(Entry(span, key, as_node(each)) for key, each in value.items()))
    return ScalarNode(span, value)


@pytest.mark.slow
@pytest.mark.parametrize("confined", [True, False])
def test_fastjsonschema_and_jsonschema_agree_on_random_values(confined: bool) -> None:
    chance = Random(0)
    accepted = {True: 0, False: 0}
    for schema in (each for whole in every_schema() for each in parts_of(whole)):
        for _ in range(40):
            value = likely(schema, chance)
            node = as_node(value)
            judged = is_accepted(node, schema, confined=confined)
            assert judged == (not explain_schema_errors(node, schema, "it", confined=confined)), value
            accepted[judged] += 1
    assert min(accepted.values()) > 3000


TESTS = Path(__file__).parents[1]
FOLDERS = [TESTS / "good", TESTS / "bad", TESTS / "lint", TESTS.parent / "scenarios"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_fastjsonschema_and_jsonschema_agree_on_every_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts: Counter[bool] = Counter()

    def compare(node: Node, schema: Schema, what: str, *, confined: bool = True) -> list[Diagnostic]:
        errors = explain_schema_errors(node, schema, what, confined=confined)
        assert is_accepted(node, schema, confined=confined) == (not errors), (node.span, errors)
        verdicts[not errors] += 1
        return errors

    monkeypatch.setattr(parser, "find_schema_errors", compare)
    monkeypatch.setattr(step_parser, "find_schema_errors", compare)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})  # In this process, where the verdicts are counted.
    collect([str(file) for file in folder.rglob("*.yaml")], allow_outside=True)
    assert verdicts[True] > 10
    assert folder.name != "bad" or verdicts[False] > 50


def test_jsonschema_decides_about_what_fastjsonschema_refuses() -> None:
    """The two differ on `$`, which fastjsonschema lets match at the very end only."""
    node, schema = as_node("64k\n"), {"pattern": "^64k$"}
    assert not is_accepted(node, schema)
    assert find_schema_errors(node, schema, "it") == []
