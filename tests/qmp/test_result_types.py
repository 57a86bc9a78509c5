"""The described types of results are compared with QEMU's introspection, and with what the tools print."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_scenarios.core.nodes import from_json
from run_scenarios.core.source import Source, Span
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.programs import Programs, find_programs
from run_scenarios.qmp.introspection import introspect
from run_scenarios.qmp.result_types import ARGUMENTS, ERRORS, RESULTS, describe_results
from run_scenarios.qmp.schema import QmpSchema
from run_scenarios.qmp.type_checker import TypeChecker
from run_scenarios.qmp.types import Array, Enum, Object, TypeTable
from run_scenarios.steps import VERBS

ROOT = Path(__file__).parents[2]
OTHER_BUILDS = [
    *ROOT.glob(".qemu/*/bin/qemu-system-x86_64"),
    Path(os.environ.get("SECOND_QEMU_BIN") or ROOT / ".qemu-second/bin") / "qemu-system-x86_64",
]
SPAN = Span(Source("output", ""), 1, 1)
OWN_TYPES = {"call", "qmp", "wait-event"}
"""The verbs whose result a scenario or introspection describes."""


@pytest.fixture(
    scope="module", params=[None, *OTHER_BUILDS], ids=lambda path: (path and path.parts[-3]) or "under-test"
)
def programs(request: pytest.FixtureRequest) -> Programs:
    if request.param and not request.param.exists():
        pytest.skip(f"there is no {request.param}")
    return find_programs({"qemu": request.param and str(request.param)}, os.environ)


@pytest.fixture(scope="module")
def schema(programs: Programs) -> Iterator[QmpSchema]:
    guardian = Guardian.start()
    yield asyncio.run(introspect(programs, guardian))
    guardian.stop()


def test_every_result_and_error_is_described() -> None:
    assert {verb.NAME for verb in VERBS.values() if verb.RESULT} == {*RESULTS} | OWN_TYPES
    assert {verb.NAME for verb in VERBS.values() if verb.FAILS_WITH} == {*ERRORS}
    types = describe_results(None).types
    assert {*RESULTS.values(), *ERRORS.values()} <= types.keys()
    assert {type_ for keys in ARGUMENTS.values() for type_ in keys.values()} <= types.keys()


def follow(schema: QmpSchema, type_: str, *path: str) -> str:
    """Return the name of the type that a path of keys leads to, through lists."""
    for key in path:
        kind = schema.types[type_]
        if isinstance(kind, Array):
            kind = schema.types[kind.element]
        assert isinstance(kind, Object)
        type_ = kind.members[key].type
    return type_


def compare(ours: TypeTable, our_type: str, theirs: TypeTable, their_type: str, path: str) -> Iterator[str]:
    """Yield the differences between two types."""
    if ours.list_json_types(our_type) != theirs.list_json_types(their_type):
        yield f"{path}: {our_type} is not {theirs.describe_type(their_type)}"
        return
    one, other = ours.types[our_type], theirs.types[their_type]
    if isinstance(one, Array) and isinstance(other, Array):
        yield from compare(ours, one.element, theirs, other.element, f"{path}[]")
    elif isinstance(one, Enum) and isinstance(other, Enum):
        yield from (f"{path}: no {value}" for value in other.values.keys() - one.values.keys())
    elif isinstance(one, Object) and isinstance(other, Object):
        yield from compare_objects(ours, one, theirs, other, path)


def compare_objects(ours: TypeTable, one: Object, theirs: TypeTable, other: Object, path: str) -> Iterator[str]:
    present = {key: member for key, member in one.members.items() if not member.since}
    if present.keys() != other.members.keys():
        yield f"{path}: {sorted(present.keys() ^ other.members.keys())} differ"
    for key in present.keys() & other.members.keys():
        if present[key].optional != other.members[key].optional:
            yield f"{path}.{key}: optional differs"
        yield from compare(ours, present[key].type, theirs, other.members[key].type, f"{path}.{key}")
    variants = one.variants or {}
    for case, type_ in (other.variants or {}).items():
        if case not in variants:
            yield f"{path}: no branch {case}"
        else:
            yield from compare(ours, variants[case], theirs, type_, f"{path}({case})")


def test_images_and_bitmaps_are_as_in_introspection(schema: QmpSchema) -> None:
    ours = describe_results(schema.version)
    nodes = schema.commands["query-named-block-nodes"].returns
    image, bitmaps = follow(schema, nodes, "image"), follow(schema, nodes, "dirty-bitmaps")
    found = list(compare(ours, "BlockGraphInfo", schema, image, "image"))
    if schema.version < (8, 0, 0):
        # An extent has the type of an image there; QEMU sets the members of `VmdkExtentInfo`.
        found = [each for each in found if "(vmdk).data.extents" not in each]
    # `qemu-img info` prints the graph, and QMP the chain of backing files.
    other_keys = ["backing-image"] if schema.version < (8, 0, 0) else ["backing-image", "children"]
    assert found == [f"image: {other_keys} differ"]
    assert not list(compare(ours, "[BlockDirtyInfo]", schema, bitmaps, "bitmaps"))


def test_job_statuses_are_as_in_introspection(schema: QmpSchema) -> None:
    jobs = schema.commands["query-jobs"].returns
    ours = describe_results(schema.version)
    assert not list(compare(ours, "JobStatus", schema, follow(schema, jobs, "status"), "status"))


def run_qemu_img(programs: Programs, directory: Path, *arguments: str) -> str:
    while True:
        done = subprocess.run([programs["qemu-img"], *arguments], cwd=directory, capture_output=True, text=True)
        # On a busy machine, QEMU cannot always measure how long a key of LUKS takes.
        if "Unable to get accurate CPU usage" not in done.stderr:
            assert done.returncode == 0, done.stderr
            return done.stdout


@pytest.mark.parametrize(
    ("format_", "commands"),
    [
        ("raw", ["create -f raw a 1M"]),
        ("qcow2", ["create -f qcow2 a 1M", "bitmap --add a bitmap0", "snapshot -c snapshot0 a"]),
        ("qcow2", ["create -f raw b 2M", "create -f qcow2 -b b -F raw -o compression_type=zlib a"]),
        ("qcow2", ["create -f qcow2 -o data_file=b,data_file_raw=on a 1M"]),
        ("qcow2", ["create -f qcow2 --object secret,id=s,data=x -o encrypt.format=luks,encrypt.key-secret=s a 1M"]),
        ("luks", ["create -f luks --object secret,id=s,data=x -o key-secret=s a 1M"]),
        ("vmdk", ["create -f vmdk a 1M"]),
        ("vdi", ["create -f vdi a 1M"]),
    ],
)
def test_the_output_of_qemu_img_is_as_described(
    programs: Programs, schema: QmpSchema, tmp_path: Path, format_: str, commands: list[str]
) -> None:
    for command in commands:
        run_qemu_img(programs, tmp_path, *command.split())
    outputs = {"BlockGraphInfo": run_qemu_img(programs, tmp_path, "info", "--output=json", "-f", format_, "a")}
    if "luks" not in " ".join(commands):
        outputs["[MapEntry]"] = run_qemu_img(programs, tmp_path, "map", "--output=json", "-f", format_, "a")
    if format_ in ("qcow2", "vmdk", "vdi") and "luks" not in " ".join(commands):
        outputs["ImageCheck"] = run_qemu_img(programs, tmp_path, "check", "--output=json", "-f", format_, "a")
    types = describe_results(schema.version)
    for type_, output in outputs.items():
        value = from_json(json.loads(output), SPAN)
        found = TypeChecker(types, type_, "key").check_value(type_, value, "", SPAN)
        assert [each.message for each in found] == []
