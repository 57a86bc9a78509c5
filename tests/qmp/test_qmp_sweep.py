"""Make each possible mistake in the QMP of the shipped scenarios, one at a time: the check must report each in place.

The possible mistakes are read from the introspection itself, not from the model that the check uses. Free names, such
as those of nodes, cannot be misspelt, and a member that takes any value or a string cannot have a string as wrong type.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from run_scenarios.collection.collector import collect
from run_scenarios.core.diagnostics import Diagnostic
from run_scenarios.core.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, UnknownNode
from run_scenarios.core.source import Span
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.programs import Programs, find_programs
from run_scenarios.qmp.introspection import SavedSchemas
from run_scenarios.qmp.query_schema import query_schema
from run_scenarios.qmp.requirements import find_unmet_requirement
from run_scenarios.qmp.schema import QmpSchema, parse_schema
from run_scenarios.qmp.step_checker import QmpChecker, _may_be_wrong_on_purpose
from run_scenarios.scenario.dry_run import VisitedStep, dry_run
from run_scenarios.scenario.model import Scenario
from run_scenarios.scenario.parser import parse_again

from tests.support.scenarios import RunSteps

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
UNDER_TEST = "under test"
Where = tuple[str | int, ...]


@dataclass(frozen=True)
class Qemu:
    """One QEMU to check against: its programs, its introspection, and the schema parsed from it."""

    programs: Programs
    raw: dict[str, dict[str, Any]]
    schema: QmpSchema


@dataclass(frozen=True)
class Edit:
    """One mistake: its kind, the place where it must be reported, and the step with it."""

    kind: str
    span: Span
    old: str
    new: str
    argument: Node


@dataclass(frozen=True)
class Visited:
    """A visited step and its scenario."""

    scenario: Scenario
    visit: VisitedStep


@pytest.fixture(scope="session", params=[UNDER_TEST, "10.0", "11.1"])
def qemu(request: pytest.FixtureRequest) -> Qemu:
    """The QEMU under test, and the other versions that `make run-qemu` has fetched."""
    named = {}
    if request.param != UNDER_TEST:
        named["qemu"] = str(ROOT / ".qemu" / request.param / "bin" / "qemu-system-x86_64")
        if not Path(named["qemu"]).exists() or named["qemu"] == os.environ.get("QEMU_PROG"):
            pytest.skip(f"QEMU {request.param} is not in .qemu, or it is the one under test")
    programs, guardian = find_programs(named, os.environ), Guardian.start()
    try:
        answer: Any = asyncio.run(query_schema(programs, guardian, "qemu"))
    finally:
        guardian.stop()
    raw = {entity["name"]: entity for entity in answer["schema"]}
    return Qemu(programs, raw, parse_schema("qemu", answer["version"], answer["schema"]))


@pytest.fixture(scope="session")
def visited(qemu: Qemu) -> list[Visited]:
    """Every step that uses QMP, once for each scenario and set of values.

    Left out are scenarios that this QEMU skips, and steps whose expected error says that they are wrong on purpose.
    """
    seen: list[Visited] = []
    for file in dict.fromkeys(case.file for case in collect([str(ROOT / "scenarios")]).cases):
        scenario = parse_again(file)
        if find_unmet_requirement(scenario.requires, qemu.programs, qemu.schema):
            continue
        for visit in (visit for walk in dry_run(scenario).visited for visit in walk):
            each = Visited(scenario, visit)
            on_purpose = _may_be_wrong_on_purpose(visit.modifiers.get("error"))
            if visit.step.verb.NAME in ("qmp", "wait-event") and not on_purpose and each not in seen:
                seen.append(each)
    return seen


def misspelt(word: str) -> str:
    """Return a word without the letter in its middle; a single letter is doubled instead."""
    return word[: len(word) // 2] + word[len(word) // 2 + 1 :] if len(word) > 1 else word * 2


def edits(each: Visited, raw: dict[str, dict[str, Any]]) -> Iterator[Edit]:
    """Yield every possible mistake in a step."""
    argument = each.visit.argument
    if each.visit.step.verb.NAME == "wait-event":
        yield from event_edits(argument, raw)
        return
    named = argument.get("execute") if isinstance(argument, MappingNode) else argument
    assert isinstance(named, ScalarNode)
    yield from misspelling("command", argument, ("execute",) if isinstance(argument, MappingNode) else (), named)
    command = raw[str(named.value)]
    if isinstance(argument, MappingNode) and argument.entry("arguments"):
        given = argument.entry("arguments")
        assert given
        yield from value_edits(argument, ("arguments",), given.value, given.span, command["arg-type"], raw)


def event_edits(argument: Node, raw: dict[str, dict[str, Any]]) -> Iterator[Edit]:
    """Yield the mistakes in an expected event, all of whose keys are optional."""
    name = argument.get("name") if isinstance(argument, MappingNode) else argument
    assert isinstance(name, ScalarNode)
    yield from misspelling("event", argument, ("name",) if isinstance(argument, MappingNode) else (), name)
    for key in ("match", "expect"):
        expected = argument.get(key) if isinstance(argument, MappingNode) else None
        data = expected.get("data") if isinstance(expected, MappingNode) else None
        inside: Where = (key, "data")
        if isinstance(data, MappingNode) and data.keys() == ("$exact",):
            data, inside = data.get("$exact"), (*inside, "$exact")
        if data is not None:
            all_edits = value_edits(argument, inside, data, data.span, raw[str(name.value)]["arg-type"], raw)
            yield from (edit for edit in all_edits if edit.kind != "required argument dropped")


def misspelling(kind: str, root: Node, path: Where, node: ScalarNode) -> Iterator[Edit]:
    """Yield the edit that misspells a string."""
    word = misspelt(str(node.value))
    yield Edit(kind, node.span, str(node.value), word, put(root, path, replaced(node, word)))


def replaced(node: ScalarNode, value: str) -> ScalarNode:
    """Return a scalar with another value in its place."""
    return ScalarNode(node.span, value)


def value_edits(
    root: Node, path: Where, node: Node, holder: Span, type_: str, raw: dict[str, dict[str, Any]]
) -> Iterator[Edit]:
    """Yield the possible mistakes in a value of a type, at any depth."""
    entity = raw[type_]
    kind = entity["meta-type"]
    if kind == "object" and isinstance(node, MappingNode):
        yield from object_edits(root, path, node, holder, entity, raw)
    elif kind == "array" and isinstance(node, SequenceNode):
        for index, item in enumerate(node):
            yield from value_edits(root, (*path, index), item, item.span, entity["element-type"], raw)
    elif kind == "alternate":
        wanted = {MappingNode: "object", SequenceNode: "array"}.get(type(node), "")
        for member in entity["members"]:
            if raw[member["type"]]["meta-type"] == wanted:
                yield from value_edits(root, path, node, holder, member["type"], raw)
    elif kind == "enum" and isinstance(node, ScalarNode):
        yield from misspelling("enum value", root, path, node)
    elif kind == "builtin" and isinstance(node, ScalarNode) and type(node.value) is int and type_ in ("int", "number"):
        text = str(node.value)
        yield Edit("integer as a string", node.span, text, f'"{text}"', put(root, path, replaced(node, text)))


def object_edits(
    root: Node, path: Where, node: MappingNode, holder: Span, entity: dict[str, Any], raw: dict[str, dict[str, Any]]
) -> Iterator[Edit]:
    """Yield the mistakes in the keys of a mapping and in their values."""
    members = members_of(entity, node, raw)
    if any(entry.key not in members for entry in node):
        return  # device_add: its properties are QOM's, and introspection names none of them
    for entry in node:
        word = misspelt(entry.key)
        assert word not in members
        renamed = put(root, path, with_entry(node, entry, Entry(entry.span, word, entry.value)))
        yield Edit("argument name", entry.span, entry.key, word, renamed)
        if "default" not in members[entry.key]:
            dropped = put(root, path, with_entry(node, entry, None))
            yield Edit("required argument dropped", holder, entry.key, "", dropped)
        yield from value_edits(root, (*path, entry.key), entry.value, entry.span, members[entry.key]["type"], raw)


def members_of(entity: dict[str, Any], node: MappingNode, raw: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the members of an object, including those of the branch that its tag selects."""
    members = {member["name"]: member for member in entity["members"]}
    tag = node.get(entity.get("tag", ""))
    for variant in entity.get("variants", ()):
        if isinstance(tag, ScalarNode) and variant["case"] == tag.value:
            members |= members_of(raw[variant["type"]], node, raw)
    return members


def with_entry(node: MappingNode, old: Entry, new: Entry | None) -> MappingNode:
    """Return a mapping with one of its entries replaced, or without it."""
    entries = [new if each is old else each for each in node]
    return replace(node, entries=tuple(each for each in entries if each is not None))


def put(root: Node, path: Where, value: Node) -> Node:
    """Return a node with another one at a path."""
    if not path:
        return value
    if isinstance(root, MappingNode):
        old = next(each for each in root if each.key == path[0])
        return with_entry(root, old, replace(old, value=put(old.value, path[1:], value)))
    assert isinstance(root, SequenceNode) and isinstance(path[0], int)
    index = path[0]
    item = put(root.items[index], path[1:], value)
    return replace(root, items=(*root.items[:index], item, *root.items[index + 1 :]))


def findings(qemu: Qemu, each: Visited, argument: Node) -> list[Diagnostic]:
    """Return the mistakes in a step with another argument, whether or not its `when` would let it run."""
    check = QmpChecker(
        SavedSchemas({"qemu": qemu.schema, "qemu-storage-daemon": qemu.schema}), lambda requires, schema: ""
    )
    modifiers = {name: value for name, value in each.visit.modifiers.items() if name != "when"}
    return check.check(each.scenario, [[replace(each.visit, argument=argument, modifiers=modifiers)]])


def test_every_mistake_is_reported_at_its_place(
    qemu: Qemu, visited: list[Visited], record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    count: Counter[str] = Counter()
    missed = []
    for each in visited:
        right = findings(qemu, each, each.visit.argument)
        if right and isinstance(each.visit.modifiers.get("when"), UnknownNode):
            continue  # It is meant for another version.
        assert right == []
        for edit in edits(each, qemu.raw):
            count[edit.kind] += 1
            if edit.span not in [found.span for found in findings(qemu, each, edit.argument)]:
                missed.append(f"{edit.span}: {edit.kind}: {edit.old} -> {edit.new}")
    assert not missed, missed
    record_property("mistakes", sum(count.values()))
    with capsys.disabled():
        print(f"\n{qemu.schema}: {sum(count.values())} mistakes found: {dict(count)}")
    assert sum(count.values()) >= 200
    assert all(count[kind] for kind in ("argument name", "enum value", "required argument dropped"))
    assert count["integer as a string"]


def in_text(edit: Edit) -> str | None:
    """Return a file's text with the mistake in it; None if the value is not written literally at its place."""
    lines = edit.span.source.text.split("\n")
    line, start = lines[edit.span.line - 1], edit.span.column - 1
    if not edit.new or line[start : start + edit.span.width] != edit.old:
        return None
    lines[edit.span.line - 1] = line[:start] + edit.new + line[start + edit.span.width :]
    return "\n".join(lines)


def shipped_as(path: str) -> Path:
    """Return the path of a shipped file relative to the root of the project, wherever the test runs."""
    return Path("scenarios", path.rpartition("scenarios/")[2])


def sample(visited: Sequence[Visited], qemu: Qemu) -> list[tuple[Visited, Edit]]:
    """Return one mistake of each kind for each scenario and file that can be edited as text."""
    chosen: dict[tuple[str, str, str], tuple[Visited, Edit]] = {}
    for each in visited:
        if isinstance(each.visit.modifiers.get("when"), UnknownNode):
            continue  # A mistake there is a warning.
        for edit in edits(each, qemu.raw):
            if in_text(edit) is not None:
                chosen.setdefault((each.scenario.file.path, edit.span.source.path, edit.kind), (each, edit))
    return list(chosen.values())


def test_mistakes_in_edited_files_are_reported_at_their_place(
    qemu: Qemu, visited: list[Visited], run_command: RunSteps, tmp_path: Path
) -> None:
    chosen = sample(visited, qemu)
    assert len(chosen) >= 30
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    for each, edit in chosen:
        file, text = shipped_as(edit.span.source.path), in_text(edit)
        assert text is not None
        (tmp_path / file).write_text(text)
        run = run_command("--check", "--qemu", qemu.programs["qemu"], shipped_as(each.scenario.file.path))
        (tmp_path / file).write_text(edit.span.source.text)
        assert (run.status, run.stdout) == (2, ""), f"{edit.kind} at {edit.span}: {edit.new}\n{run.stderr}"
        assert f"{file}:{edit.span.line}:{edit.span.column}: error: " in run.stderr, f"{edit}\n{run.stderr}"


def test_the_shipped_scenarios_have_no_mistakes(qemu: Qemu, run_command: RunSteps) -> None:
    run = run_command("--check", "--qemu", qemu.programs["qemu"], ROOT / "scenarios")
    assert (run.status, run.stdout) == (0, "")
    assert "error" not in run.stderr
    assert "not checked" not in run.stderr
