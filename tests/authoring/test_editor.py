"""The editor schema in the real yaml-language-server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from run_scenarios.cli.main import main

from tests.support.language_server import PROGRAM, LanguageServer, Problem
from tests.support.runnable import find_skipped_files

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "schema/scenario.schema.json"
SCENARIOS = sorted((ROOT / "scenarios").rglob("*.yaml"))
GOOD = sorted((ROOT / "tests/good").rglob("*.yaml"))
PLAIN, QMP = "plain", "qmp"
HEAD = "scenario: a test\nsteps:\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    """One server for all tests; documents in `plain` have the published schema, those in `qmp` one with QMP."""
    if not PROGRAM.exists():
        pytest.fail("there is no yaml-language-server: make .node/node_modules/.installed")
    with_qmp = tmp_path_factory.mktemp("schema") / "with-qmp.json"
    with pytest.MonkeyPatch.context() as patch, with_qmp.open("w", encoding="utf-8") as file:
        patch.setattr("sys.stdout", file)
        assert main(["--print-schema", "--with-qmp"]) == 0
    server = LanguageServer({PLAIN: PUBLISHED, QMP: with_qmp})
    yield server
    server.close()


def step(text: str) -> str:
    """Return a scenario of one step."""
    return f"{HEAD}  - {text}\n"


def block(text: str) -> str:
    """Return a scenario of one step with the keys of its verb below, on lines of their own."""
    verb, *lines = text.split("\n")
    return step("\n".join([verb, *(f"      {line}" for line in lines)]))


@pytest.mark.parametrize(
    "text",
    [
        step("|"),
        step("wr|"),
        step("shutdown\n  - |\n  - launch"),
        step("name: what it is for\n    |"),
        step("for-each: {drive: [drive0]}\n    steps:\n      - |"),
        "procedures:\n  one:\n    steps:\n      - |\n",
    ],
)
def test_verbs_are_completed(server: LanguageServer, text: str) -> None:
    assert {"write", "qmp", "wait-job", "for-each", "shutdown"} <= set(server.completions(PLAIN, text))


def test_the_keys_of_a_file_are_completed(server: LanguageServer) -> None:
    assert {"scenario", "steps", "matrix", "procedures"} <= set(server.completions(PLAIN, "|\n"))


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        (block("write:\n|"), "device", "timeout"),
        (step("write: {file: drive0.qcow2, p|}"), "patterns", "timeout"),
        (step("write: {file: drive0.qcow2}\n    |"), "timeout", "expect"),
        (block("wait-job:\nid: job0\noutcome: |"), "cancelled", "id"),
        (block("create-image:\nformat: |"), "qcow2", "file"),
        (block("write:\npatterns:\n  - at: 0\n    |"), "byte", "at"),
    ],
)
def test_keys_and_values_are_completed(server: LanguageServer, text: str, wanted: str, unwanted: str) -> None:
    found = server.completions(PLAIN, text)
    assert wanted in found
    assert unwanted not in found


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        (block("qmp:\nexecute: |"), "block-dirty-bitmap-add", "no-such-command"),
        (block("qmp:\nexecute: block-dirty|"), "block-dirty-bitmap-add", "no-such-command"),
        (step("qmp: |"), "query-block-jobs", "JOB_STATUS_CHANGE"),
        (block("qmp:\nexecute: block-dirty-bitmap-add\narguments:\n  |"), "granularity", "job-id"),
        (step("qmp: {execute: block-dirty-bitmap-add, arguments: {node: drive0, g|}}"), "granularity", "node"),
        (block("qmp:\nexecute: query-block\narguments:\n  |"), "", "query-nodes"),
        (block("qmp:\nexecute: drive-backup\narguments:\n  sync: |"), "incremental", "device"),
        (
            block("qmp:\nexecute: blockdev-add\narguments:\n  driver: raw\n  file:\n    driver: file\n    |"),
            "filename",
            "image",
        ),
        (
            block(
                "qmp:\nexecute: transaction\narguments:\n  actions:\n    - type: drive-backup\n      data:\n        |"
            ),
            "bitmap",
            "granularity",
        ),
        (step("wait-event: |"), "BLOCK_JOB_ERROR", "query-block"),
        (block("wait-event:\nname: |"), "BLOCK_JOB_ERROR", "query-block"),
        (block("launch:\nblockdev:\n  - driver: raw\n    |"), "offset", "backing"),
        ("scenario: a test\nrequires:\n  commands:\n    - |\nsteps: [launch]\n", "drive-backup", "BLOCK_JOB_ERROR"),
    ],
)
def test_qmp_is_completed(server: LanguageServer, text: str, wanted: str, unwanted: str) -> None:
    found = server.completions(QMP, text)
    assert wanted in [*found, ""]
    assert unwanted not in found


@pytest.mark.parametrize(
    ("directory", "text", "wanted"),
    [
        (PLAIN, step("wr|ite: {file: drive0.qcow2}"), "Write patterns with qemu-io"),
        (PLAIN, step("shut|down"), "wait until it has exited with status 0"),
        (PLAIN, step("write: {de|vice: drive0}"), "drive id or node name in the running VM"),
        (PLAIN, step("launch:\n    v|m: source"), "`vm` by default"),
        (PLAIN, "scenario: a test\nmat|rix: {a: [1]}\nsteps: [launch]\n", "each combination is a case"),
        (QMP, step("qmp: {execute: drive-ba|ckup, arguments: {}}"), "`drive-backup`, a command of QEMU "),
        (QMP, step("qmp: {execute: drive-ba|ckup, arguments: {}}"), "Deprecated."),
        (QMP, step("qmp: {execute: drive-backup, arguments: {sy|nc: full}}"), "a string, required"),
    ],
)
def test_hovering_shows_an_explanation(server: LanguageServer, directory: str, text: str, wanted: str) -> None:
    assert wanted in server.hover(directory, text)


@pytest.mark.parametrize(
    ("text", "underlined", "message"),
    [
        (step("crate-image: {file: drive0.qcow2, size: 1M}"), "crate-image", "Property crate-image is not allowed."),
        (step("name: what it is for"), "n", "A step needs a verb as well as modifiers."),
        (step("flush: {devise: drive0}"), "devise", "Property devise is not allowed."),
        (step("flush: drive0\n    timeuot: 3"), "timeuot", "Property timeuot is not allowed."),
        (
            step("flush: drive0\n    timeout: 3 hours"),
            "3 hours",
            "Expected a duration such as 10, 500ms",
        ),
        (step("flush: drive0\n    expect: 1"), "expect", "Property expect is not allowed."),
        (
            step("wait-job: {id: job0, outcome: done}"),
            "done",
            'Value is not accepted. Valid values: "completed",',
        ),
        (step("compare: [a.qcow2]"), "[a.qcow2]", "Array has too few items. Expected 2 or more."),
        ("scenario: a test\ntag: [quick]\nsteps: [launch]\n", "tag", "Property tag is not allowed."),
        ("procedures: {a: {step: [launch], steps: [launch]}}\n", "step", "Property step is not allowed."),
    ],
)
def test_a_mistake_is_underlined(server: LanguageServer, text: str, underlined: str, message: str) -> None:
    (found,) = server.problems(PLAIN, text)
    assert [each.text for each in found] == [underlined]
    assert found[0].message.startswith(message)


def test_a_second_verb_is_underlined(server: LanguageServer) -> None:
    (found,) = server.problems(PLAIN, step("flush: drive0\n    launch:"))
    assert sorted(each.text for each in found) == ["flush", "launch"]


def test_a_verb_that_needs_an_argument_cannot_stand_alone(server: LanguageServer) -> None:
    (found,) = server.problems(PLAIN, step("shutdwn"))
    assert [each.text for each in found] == ["shutdwn"]
    assert '"shutdown"' in found[0].message


@pytest.mark.parametrize(
    ("text", "underlined", "message"),
    [
        ("qmp: query-blok", "query-blok", " has no such command."),
        ("qmp: {execute: query-blok}", "query-blok", " has no such command."),
        ("qmp: {execute: block-dirty-bitmap-add, arguments: {node: a, name: b, granularty: 1}}", "granularty", ""),
        (
            "qmp: {execute: block-dirty-bitmap-add, arguments: {node: a, name: b, granularity: 64k}}",
            "64k",
            "Expected an",
        ),
        ("qmp: {execute: block-dirty-bitmap-add, arguments: {node: a}}", "arguments", 'Missing property "name".'),
        ("qmp: {execute: block-dirty-bitmap-add}", "qmp", 'Missing property "arguments".'),
        ("qmp: {execute: drive-backup, arguments: {device: a, target: b, sync: ful}}", "ful", "Value is not accepted."),
        ("qmp: {execute: blockdev-add, arguments: {driver: raw, file: {driver: null-co, sizze: 1}}}", "sizze", ""),
        ("wait-event: BLOCK_JOB_ERRO", "BLOCK_JOB_ERRO", " has no such event."),
        ("assert-no-events: {name: BLOCK_JOB_ERRO}", "BLOCK_JOB_ERRO", " has no such event."),
        ("launch: {blockdev: [{driver: null-co, sizze: 1}]}", "sizze", ""),
    ],
)
def test_a_mistake_in_qmp_is_underlined(server: LanguageServer, text: str, underlined: str, message: str) -> None:
    (found,) = server.problems(QMP, step(text))
    assert [each.text for each in found] == [underlined]
    assert (message or f"Property {underlined} is not allowed.") in found[0].message


@pytest.mark.parametrize(
    "text",
    [
        "qmp: {execute: no-such-command}\n    error: {class: CommandNotFound}",
        'qmp: {execute: "{{ command }}", arguments: {anything: 1}}',
        'qmp: {execute: block-dirty-bitmap-add, arguments: {node: a, name: b, granularity: "{{ size }}"}}',
        'qmp: {execute: transaction, arguments: "{{ both }}"}',
        "qmp: {execute: device_add, arguments: {driver: virtio-blk-pci, drive: node0}}",
        "qmp: {execute: blockdev-add, arguments: {driver: raw, node-name: a, file: node0}}",
        "launch: {blockdev: [{driver: no-such-driver}]}\n    error: {status: 1}",
        "flush: drive0\n    when: |-\n      {{ 1 +\n         1 == 2 }}",
        "assert-no-events",
    ],
)
def test_a_possibly_valid_step_is_not_underlined(server: LanguageServer, text: str) -> None:
    assert server.problems(QMP, step(text)) == [[]]


@pytest.mark.parametrize(("directory", "files"), [(PLAIN, SCENARIOS), (PLAIN, GOOD), (QMP, SCENARIOS)])
def test_nothing_is_underlined_in_valid_files(server: LanguageServer, directory: str, files: list[Path]) -> None:
    if directory == QMP:
        files = [file for file in files if file not in find_skipped_files()]
    found = server.problems(directory, *map(_without_own_schema, files))
    assert {str(file): problems for file, problems in zip(files, found, strict=True) if problems} == {}
    assert len(files) >= 10


def test_an_inserted_mistake_is_underlined(server: LanguageServer) -> None:
    (simple,) = [file for file in SCENARIOS if file.name == "simple.yaml"]
    (found,) = server.problems(QMP, _without_own_schema(simple).replace("granularity: ", "granularty: "))
    assert Problem("granularty", "Property granularty is not allowed.") in found


def test_a_scenario_can_name_its_schema(server: LanguageServer) -> None:
    for file in SCENARIOS:
        assert file.read_text().startswith("# yaml-language-server: $schema=../../schema/scenario.schema.json\n")
    text = SCENARIOS[0].read_text()
    assert server.problems_in(SCENARIOS[0], f"{text}\nstpes: 1\n") == [
        Problem("stpes", "Property stpes is not allowed.")
    ]


def _without_own_schema(file: Path) -> str:
    """Return a scenario without the line that names its schema, which overrides the schema that the client names."""
    text = file.read_bytes().decode()
    return "\n".join(line for line in text.split("\n") if "yaml-language-server" not in line)
