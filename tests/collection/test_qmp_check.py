"""The QMP check of the command: what is checked, and against which schema."""

from __future__ import annotations

import json
import os
import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

import pytest
from run_scenarios.qemu.programs import TOOLS
from run_scenarios.qmp.introspection import load_schemas

from tests.support.scenarios import Run, RunSteps

QEMU = shutil.which("qemu-system-x86_64") or ""
ADD = "qmp: {execute: block-dirty-bitmap-add, arguments: {node: a, name: b%s}}"


def findings(run: Run) -> list[str]:
    """Return the findings that are not of lint rules, as `line:column: severity: message`."""
    return re.findall(r"^case\.yaml:([0-9:]+ (?:error|warning): .*)$", run.stderr, re.M)


@pytest.fixture
def saved(run_command: RunSteps, tmp_path: Path) -> Path:
    """A saved schema."""
    file = tmp_path / "qmp.json"
    assert run_command("--save-qmp-schema", file).status == 0
    return file


@pytest.fixture
def without_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without QEMU and its tools."""
    monkeypatch.setenv("PATH", "/nowhere")
    for variable in TOOLS.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in which a script notes each start of QEMU."""
    starts, program = tmp_path / "starts", tmp_path / "qemu"
    program.write_text(f"#!/bin/sh\necho $$ >>'{starts}'\nexec '{QEMU}' \"$@\"\n")
    program.chmod(0o755)
    starts.touch()
    monkeypatch.setenv("QEMU_PROG", str(program))
    return starts


def test_a_valid_scenario_has_no_findings(run_steps: RunSteps) -> None:
    run = run_steps("- " + ADD % ", granularity: 65536", "--check")
    assert (run.status, run.stdout, findings(run)) == (0, "", [])


def test_a_mistake_is_shown_at_its_place_and_nothing_runs(run_steps: RunSteps) -> None:
    for option in ("--check", "--keep"):
        run = run_steps("- " + ADD % ", granularty: 65536", option)
        assert run.status == 2
        assert "case.yaml:3:74: error: 'block-dirty-bitmap-add' has no argument 'granularty'\n" in run.stderr
        assert "      | " + " " * 73 + "^^^^^^^^^^ did you mean 'granularity'? (QEMU " in run.stderr
        assert "not ok 1 - case.yaml (invalid scenario file)" in run.stdout if option == "--keep" else not run.stdout


def test_all_findings_are_sorted_by_place(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - qmp: query-blok
        - set: {a: "{{ nosuch }}"}
        - wait-event: BLOCK_JOB_EROR
        - call: nosuch
        - qmp: query-bloc
        """,
        "--check",
    )
    assert run.status == 2
    assert [each.split(": ")[0] for each in findings(run)] == ["4:10", "5:18", "6:17", "7:11", "8:10"]


def test_an_empty_directory_has_nothing_to_check(run_command: RunSteps, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run_command("--check", tmp_path / "empty").status == 5
    assert run_command("--check", "--allow-empty", tmp_path / "empty").status == 0


@pytest.mark.parametrize(
    ("step", "place"),
    [
        ("wait-event: BLOCK_JOB_EROR", "17"),
        ("wait-event: {name: BLOCK_JOB_ERROR, match: {data: {devic: a}}}", "56"),
        ("wait-event: {name: BLOCK_JOB_ERROR, expect: {data: {action: {$ne: repot}}}}", "71"),
        ("{wait-event: BLOCK_JOB_ERROR, expect: {dat: {}}}", "44"),
        ("assert-no-events: BLOCK_JOB_EROR", "23"),
        ("assert-no-events: {match: {dat: {}}}", "32"),
        ("{qmp: query-block-jobs, expect: [{devic: {$absent: true}}]}", "39"),
        ("qmp: {exec-oob: query-block}", "21"),
        ("launch: {blockdev: [{driver: file, node-name: a, filenme: b}]}", "54"),
        ("launch: {objects: [{qom-type: throttle-grop, id: a}]}", "35"),
        ("launch: {program: qemu-storage-daemon, export: [{type: nbd, id: e, node-name: a, writabl: true}]}", "86"),
    ],
)
def test_every_step_with_qmp_is_checked(run_steps: RunSteps, step: str, place: str) -> None:
    run = run_steps(f"- {step}", "--check")
    assert run.status == 2
    (finding,) = findings(run)
    assert finding.startswith(f"3:{place}: error: ")


def test_a_procedure_is_checked_with_the_values_of_each_call(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - {call: back-up, with: {sync: full}}
        - {call: back-up, with: {sync: ful}}
        """,
        "--check",
        head="""
        procedures:
          back-up:
            parameters: {sync: string}
            steps:
              - qmp: {execute: blockdev-backup, arguments: {device: a, target: b, sync: "{{ sync }}", job-id: j}}
        """,
    )
    assert run.status == 2
    assert findings(run) == ["6:81: error: argument 'sync' of 'blockdev-backup' cannot be 'ful'"]


def test_a_value_known_only_at_run_time_is_not_checked(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - {qmp: query-block, save: blocks}
        - qmp: {execute: block-dirty-bitmap-add, arguments: "{{ blocks }}"}
        - qmp: {execute: block-dirty-bitmap-add, arguments: {node: "{{ blocks[0].device }}", name: b}}
        - qmp: "{{ blocks }}"
        - wait-event: "{{ blocks }}"
        """,
        "--check",
    )
    assert (run.status, findings(run)) == (0, [])


def test_a_mistake_in_a_conditional_step_is_a_warning(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - {qmp: query-version, save: version}
        - {qmp: query-future, when: "{{ version.qemu.major > 90 }}"}
        """,
        "--check",
    )
    assert run.status == 0
    assert findings(run) == ["5:11: warning: there is no command 'query-future'"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("{class: CommandNotFound}", 0),
        ("{class: GenericError, desc: Invalid parameter 'x'}", 0),
        ("{desc: {$contains: is unexpected}}", 0),
        ("{desc: {$not: {$one-of: [a, {$regex: 'Parameter .* is missing'}]}}}", 0),
        ("{desc: {$contains: Invalid parameter type}}", 0),
        ("{class: GenericError, desc: {$contains: not found}}", 2),
        ("{class: GenericError}", 2),
    ],
)
def test_a_step_that_expects_a_refusal_may_be_invalid(run_steps: RunSteps, error: str, status: int) -> None:
    run = run_steps(f"- {{{ADD % ', x: 1'}, error: {error}}}", "--check")
    assert (run.status, len(findings(run))) == (status, status // 2)


def test_a_scenario_that_is_skipped_here_is_not_checked(run_steps: RunSteps) -> None:
    for requires in ("commands: [get-win32-socket]", "qemu: '>= 99'", "accelerators: [hax]"):
        run = run_steps("- qmp: query-future", "--check", head=f"requires: {{{requires}}}")
        assert (run.status, findings(run)) == (0, [])
    assert run_steps("- qmp: query-future", "--check", head="requires: {qemu: '>= 1.0'}").status == 2


def test_a_deprecation_is_reported_once_and_is_not_an_error(run_steps: RunSteps) -> None:
    backup = "- qmp: {execute: drive-backup, arguments: {device: a, sync: full, target: b}}"
    run = run_steps(f"{backup}\n{backup}", "--check")
    assert run.status == 0
    assert findings(run) == ["3:20: warning: 'drive-backup' is deprecated"]


def test_the_storage_daemon_has_its_own_schema(run_steps: RunSteps) -> None:
    steps = """
        - {launch: {program: qemu-storage-daemon}, vm: daemon}
        - launch
        - {qmp: query-pci, vm: daemon}
        - qmp: query-pci
        """
    run = run_steps(steps, "--check")
    assert run.status == 2
    assert findings(run) == ["6:11: error: there is no command 'query-pci'"]
    assert "(qemu-storage-daemon " in run.stderr


def test_a_missing_storage_daemon_is_not_checked(run_steps: RunSteps, saved: Path) -> None:
    content = json.loads(saved.read_text())
    del content["qemu-storage-daemon"]
    saved.write_text(json.dumps(content))
    run = run_steps("- launch: {program: qemu-storage-daemon}\n- qmp: query-pci", "--check", "--qmp-schema", str(saved))
    assert (run.status, findings(run)) == (0, [])


@pytest.mark.usefixtures("without_qemu")
def test_without_qemu_everything_but_qmp_is_checked(run_steps: RunSteps) -> None:
    run = run_steps("- qmp: query-blok", "--check")
    assert run.status == 0
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("run-scenarios: ")]
    assert line.startswith("run-scenarios: QMP was not checked: qemu-system-")
    assert run_steps("- nosuch", "--check").status == 2
    assert run_steps("- qmp: query-blok").status == 3


def test_qmp_can_be_checked_against_a_saved_schema(
    run_steps: RunSteps, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    run = run_steps("- qmp: query-blok", "--check", "--qmp-schema", str(saved))
    assert run.status == 2
    assert f"did you mean 'query-block'? ({load_schemas(saved)['qemu']})" in run.stderr
    assert run_steps("- qmp: query-block", "--check", "--qmp-schema", str(saved)).status == 0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"qemu": []}', '{"qemu": {"version": [1, 2, 3], "schema": 1}}'])
def test_an_invalid_saved_schema_is_refused(run_steps: RunSteps, tmp_path: Path, content: str) -> None:
    file = tmp_path / "qmp.json"
    file.write_text(content)
    run = run_steps("- qmp: query-block", "--check", "--qmp-schema", str(file))
    assert run.status == 3
    assert "run-scenarios: error: " in run.stderr
    assert str(file) in run.stderr


def test_a_schema_is_saved_with_the_version(saved: Path) -> None:
    schema = load_schemas(saved)["qemu"]
    assert schema.version > (1, 0, 0)
    assert str(schema).startswith("QEMU ")
    assert "query-block" in schema.commands


def test_a_binary_is_queried_once(run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert run_steps("- qmp: query-blok", "--check").status == 2
    (file,) = (tmp_path / "cache" / "run-scenarios").glob("qmp-*")
    content: Any = json.loads(file.read_text())
    content["schema"] = [each for each in content["schema"] if each["name"] != "query-block"]
    file.write_text(json.dumps(content))
    assert run_steps("- qmp: query-block", "--check").status == 2, "the cache was not used"
    content["identity"][2] += 1
    file.write_text(json.dumps(content))
    assert run_steps("- qmp: query-block", "--check").status == 0, "a binary that has changed must be asked again"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"identity": 1}', "\udcff"])
def test_a_corrupt_cache_is_ignored(
    run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run_steps("- qmp: query-block", "--check")
    (file,) = (tmp_path / "cache" / "run-scenarios").glob("qmp-*")
    kept = file.read_text()
    file.write_bytes(os.fsencode(content))
    assert run_steps("- qmp: query-blok", "--check").status == 2
    assert file.read_text() == kept


def test_a_cache_that_cannot_be_written_is_ignored(
    run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file where a directory should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = run_steps("- qmp: query-blok", "--check")
    assert run.status == 2
    assert "did you mean 'query-block'?" in run.stderr


def test_a_script_is_queried_each_time(run_steps: RunSteps, counted: Path) -> None:
    for times in (1, 2):
        assert run_steps("- qmp: query-blok", "--check").status == 2
        # Each time it is asked how it takes a monitor, and for its schema.
        assert len(counted.read_text().split()) == 2 * times


def test_qemu_is_not_started_for_invalid_files(run_steps: RunSteps, counted: Path) -> None:
    run = run_steps("- qmp: query-blok\n- call: nosuch")
    assert run.status == 2
    assert counted.read_text() == ""


def test_all_programs_can_be_named(run_steps: RunSteps) -> None:
    named = [word for tool in TOOLS for word in (f"--{tool}", shutil.which(tool) or QEMU)]
    assert run_steps("- qmp: query-blok", "--check", *named).status == 2


def test_an_invalid_file_does_not_affect_others(run_command: RunSteps, tmp_path: Path) -> None:
    for name, command in {"right": "query-block", "wrong": "query-blok"}.items():
        text = f"scenario: {name}\nsteps:\n  - launch\n  - qmp: {command}\n  - shutdown\n"
        (tmp_path / f"{name}.yaml").write_text(textwrap.dedent(text))
    run = run_command(tmp_path)
    assert run.status == 2
    assert [(point.ok, point.name) for point in run.points] == [
        (False, "wrong.yaml (invalid scenario file)"),
        (True, "right"),
    ]


def test_tools_are_queried_once_for_the_check_and_the_run(
    run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, program = tmp_path / "asked", tmp_path / "qemu-img"
    program.write_text(f"#!/bin/sh\necho \"$1\" >>'{asked}'\nexec '{shutil.which('qemu-img')}' \"$@\"\n")
    program.chmod(0o755)
    monkeypatch.setenv("QEMU_IMG_PROG", str(program))
    run = run_steps("- create-image: {file: a.qcow2, size: 1M}", head="requires: {formats: [qcow2]}\n")
    assert run.status == 0
    assert asked.read_text().split() == ["--help", "--version", "create"]
