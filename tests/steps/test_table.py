"""The table of verbs, and what every verb must have."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import run_scenarios.steps
import yaml
from run_scenarios.authoring.reference import extract_example
from run_scenarios.scenario.confinement import verbs as confinement
from run_scenarios.steps import VERBS
from run_scenarios.steps.verb import ControlFlowVerb, Verb

from tests.support.scenarios import RunSteps, write_scenario


def verbs_of(module_name: str) -> Iterator[type[Verb]]:
    """Yield the verbs that a module defines."""
    module = importlib.import_module(f"run_scenarios.steps.{module_name}")
    for _, member in inspect.getmembers(module, inspect.isclass):
        if issubclass(member, Verb) and hasattr(member, "NAME") and member.__module__ == module.__name__:
            yield member


MODULES = [module.name for module in pkgutil.iter_modules(run_scenarios.steps.__path__)]
DEFINED = [verb for name in MODULES for verb in verbs_of(name)]


def test_every_verb_that_is_defined_is_in_the_table() -> None:
    assert {verb.NAME: verb for verb in DEFINED} == VERBS


def test_the_table_is_in_the_order_of_the_alphabet() -> None:
    assert list(VERBS) == sorted(VERBS)


@pytest.mark.parametrize("name", [name for name in MODULES if list(verbs_of(name))])
def test_every_verb_has_its_test(name: str) -> None:
    assert Path(__file__).with_name(f"test_{name}.py").exists()


def _calls(steps: list[Any]) -> dict[str, dict[str, str]]:
    """Return each procedure that these steps call, with parameters that take its arguments."""
    called: dict[str, dict[str, str]] = {}
    for step in steps:
        if isinstance(step, dict) and "call" in step:
            called[step["call"]] = dict.fromkeys(step.get("with", {}), "any")
    return called


def _head(steps: list[Any]) -> str:
    calls = _calls(steps)
    stubs = {name: {"parameters": parameters, "steps": ["launch"]} for name, parameters in calls.items()}
    return yaml.safe_dump({"procedures": stubs}) if stubs else ""


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_the_example_of_a_verb_is_planned(verb: type[Verb], run_command: RunSteps, tmp_path: Path) -> None:
    example = extract_example(verb)
    assert verb.NAME in example
    run = run_command("--list", write_scenario(tmp_path, example, _head(yaml.safe_load(example))))
    assert (run.status, run.stdout, run.stderr) == (0, "case\n", "")


def _undescribed(schema: Any, path: str) -> Iterator[str]:
    """Yield the path of each property without a description."""
    if isinstance(schema, dict):
        for key, value in schema.get("properties", {}).items():
            if isinstance(value, dict) and not value.get("description"):
                yield f"{path}.{key}"
        for key, value in schema.items():
            yield from _undescribed(value, f"{path}.{key}")
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from _undescribed(value, f"{path}[{index}]")


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_every_key_of_a_verb_is_described(verb: type[Verb]) -> None:
    assert list(_undescribed([verb.SCHEMA, verb.SIBLING_KEYS], verb.NAME)) == []
    assert all(each.get("description") for each in verb.SIBLING_KEYS.values())


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_verb_that_names_no_files_takes_none(verb: type[Verb]) -> None:
    takes_some = verb.NAME in confinement.VERBS or "x-case-file" in json.dumps([verb.SCHEMA, verb.SIBLING_KEYS])
    assert verb.OPENS_FILES or not takes_some


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_verb_defines_all_that_it_must(verb: type[Verb]) -> None:
    assert hasattr(verb, "SCHEMA")
    for name in ("parse", "run"):
        assert getattr(verb, name).__qualname__ != f"Verb.{name}"
    assert not issubclass(verb, ControlFlowVerb) or verb.unfold is not ControlFlowVerb.unfold


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_verb_is_documented_by_a_sentence_and_an_example(verb: type[Verb]) -> None:
    assert re.match(r"[A-Z][^\n]+", inspect.getdoc(verb) or "")
    assert inspect.getdoc(verb) != inspect.getdoc(Verb)
