"""Selection of cases by single options and combinations of them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_scenarios.collection.collector import collect
from run_scenarios.collection.history import History
from run_scenarios.collection.options import SelectionOptions
from run_scenarios.collection.select import select_cases
from run_scenarios.qemu.builds import Build
from run_scenarios.qemu.programs import Programs
from run_scenarios.qmp.introspection import SavedSchemas, load_schemas
from run_scenarios.qmp.step_checker import QmpChecker

from tests.report.taplint import lint
from tests.support import command
from tests.support.command import FAILS, PASSES, WRONG
from tests.support.scenarios import Run, RunSteps

MATRIX = """\
scenario: m
tags: [grid]
matrix: {n: [1, 2], s: [x, "1"]}
steps:
  - assert: "{{ n > 0 and s != '' }}"
"""
QUICK = 'scenario: q\ntags: [quick, backup]\nsteps:\n  - assert: "{{ 1 == 1 }}"\n'
SIZED = 'scenario: v\nvariables: {size: 1M, wanted: 1048576}\nsteps:\n  - assert: "{{ size | bytes == wanted }}"\n'


@pytest.fixture(autouse=True)
def place(tmp_path: Path, test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in the test's own directory, which has scenarios to choose from."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s").mkdir()
    for name, text in {"fails": FAILS, "matrix": MATRIX, "quick": QUICK, "sized": SIZED}.items():
        (tmp_path / f"s/{name}.yaml").write_text(text)
    yield tmp_path
    command.end_all()


def names(run: Run) -> list[str]:
    """Return what `--list` printed, without the directory."""
    assert run.status == 0, run.stderr
    return [line.removeprefix("s/") for line in run.stdout.splitlines()]


GRID = ["matrix[n=1,s=x]", "matrix[n=1,s=1]", "matrix[n=2,s=x]", "matrix[n=2,s=1]"]


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ([], ["fails", *GRID, "quick", "sized"]),
        (["-k", "quick or (matrix and not n=2)"], [*GRID[:2], "quick"]),
        (["-k", "backup"], ["quick"]),
        (["-k", "matrix", "-k", "s=x"], [GRID[0], GRID[2]]),
        (["--tag", "quick", "--tag", "grid"], [*GRID, "quick"]),
        (["--not-tag", "grid", "--not-tag", "backup"], ["fails", "sized"]),
        (["--tag", "grid", "-k", "n=1"], GRID[:2]),
        (["-D", "n=2"], ["fails", *GRID[2:], "quick", "sized"]),
        (["-D", "n=2", "-D", "s='1'", "--tag", "grid"], [GRID[3]]),
        (["-D", "size=2M", "-k", "sized"], ["sized"]),
    ],
)
def test_filters_select_cases(run_command: RunSteps, options: list[str], chosen: list[str]) -> None:
    assert names(run_command("--list", *options, "s")) == chosen


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["-k", "nosuch"], "-k 'nosuch' deselects all 7 cases"),
        (["--tag", "grit"], "--tag grit deselects all 7 cases"),
        (["-k", "quick", "--not-tag", "quick"], "--not-tag quick deselects the only case"),
        (["--shard", "8/8"], "--shard 8/8 deselects all 7 cases"),
        (["--rerun-failed"], "--rerun-failed deselects all 7 cases: no case failed when last run in this directory"),
    ],
)
def test_a_filter_that_deselects_everything_exits_with_5(
    run_command: RunSteps, options: list[str], reason: str
) -> None:
    run = run_command(*options, "s")
    assert (run.status, run.only.ok, run.message) == (5, False, reason)
    assert lint(run.stdout) == []
    listed = run_command("--list", *options, "s")
    assert (listed.status, listed.stdout) == (5, "")
    assert f"nothing to run: {reason}" in listed.stderr
    allowed = run_command("--allow-empty", *options, "s")
    assert (allowed.status, allowed.stdout) == (0, f"TAP version 13\n1..0 # SKIP {reason}\n")


def test_a_misspelt_tag_gets_a_hint(run_command: RunSteps) -> None:
    assert "no case has the tag 'grit'; did you mean 'grid'?" in run_command("--list", "--not-tag", "grit", "s").stderr
    assert "no case has the tag 'zzz'; tags: backup, grid, quick" in run_command("--tag", "zzz", "s").stderr


def test_an_invalid_file_is_reported_despite_filters(run_command: RunSteps, place: Path) -> None:
    (place / "s/wrong.yaml").write_text(WRONG)
    run = run_command("-k", "quick", "s")
    assert (run.status, [each.name for each in run.points]) == (2, ["s/wrong.yaml (invalid scenario file)", "s/quick"])


def test_a_case_named_twice_runs_once(run_command: RunSteps) -> None:
    run = run_command("--list", "s/matrix.yaml::n=1,s=x", "s/matrix.yaml", "s")
    assert sorted(names(run)) == sorted([*GRID, "fails", "quick", "sized"])


def test_a_directory_has_no_cases_of_its_own(run_command: RunSteps) -> None:
    run = run_command("s::n=1,s=x")
    assert run.status == 2
    assert "s::n=1,s=x:1:1: error: 's' is a directory, not a file with cases" in run.stderr
    assert "use -k 'n=1,s=x'" in run.stderr


def test_the_json_list_describes_each_case(run_command: RunSteps) -> None:
    run = run_command("--list", "--json", "-D", "size=2M", "s/matrix.yaml::n=1,s=1", "s/sized.yaml")
    matrix, sized = map(json.loads, run.stdout.splitlines())
    assert matrix == {
        "name": "s/matrix[n=1,s=1]",
        "file": "s/matrix.yaml",
        "case": "n=1,s=1",
        "title": "m",
        "tags": ["grid"],
        "variables": {"n": 1, "s": "1"},
        "rerun": "run-scenarios s/matrix.yaml::n=1,s=1",
    }
    assert sized["variables"] == {"size": "2M", "wanted": 1048576}
    assert sized["rerun"] == "run-scenarios -D size=2M s/sized.yaml"


# Variable overrides.


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("n=3", "-D n: no case has the value 3 (integer); values: 1 (integer), 2 (integer)"),
        ("n='1'", '-D n: no case has the value "1" (string); values: 1 (integer), 2 (integer)'),
        ("siz=1", "-D siz: no scenario has a variable or matrix dimension of that name; did you mean 'size'?"),
        ("zzz=1", "-D zzz: no scenario has a variable or matrix dimension of that name; names: n, s, size, wanted"),
        ("n=[1", "-D n=[1: not valid YAML: did not find expected ',' or ']'"),
        ("n={{ 1 }}", "-D n={{ 1 }}: a mapping key must be a string"),
        ("n='{{ 1 }}'", "-D n='{{ 1 }}': expressions are not allowed here; write the value itself"),
    ],
)
def test_an_override_without_effect_is_wrong_usage(run_command: RunSteps, definition: str, message: str) -> None:
    run = run_command("-D", definition, "s")
    assert (run.status, run.only.name) == (2, "runner setup")
    assert message in run.message
    assert f"run-scenarios: error: {message}" in run.stderr
    assert lint(run.stdout) == []


def test_a_name_overridden_twice_is_wrong_usage(run_command: RunSteps) -> None:
    run = run_command("-D", "n=1", "-D", "n=2", "s")
    assert (run.status, run.message) == (2, "-D n=2: 'n' is given twice")


def test_an_override_is_typed_like_yaml(run_command: RunSteps) -> None:
    assert run_command("s/sized.yaml").status == 0
    assert run_command("-D", "wanted=0x200000", "-D", "size=2M", "s/sized.yaml").status == 0
    assert run_command("-D", "wanted='1048576'", "s/sized.yaml").status == 1
    assert run_command("-D", "wanted=2", "s/sized.yaml").only.block["repro"] == "run-scenarios -D wanted=2 s/sized.yaml"


# Shards.


def shards(run_command: RunSteps, count: int, *options: str) -> list[list[str]]:
    return [names(run_command("--list", "--shard", f"{n}/{count}", *options, "s")) for n in range(1, count + 1)]


def test_shards_are_complete_and_disjoint(run_command: RunSteps) -> None:
    every = names(run_command("--list", "s"))
    parts = shards(run_command, 3)
    assert sorted(name for part in parts for name in part) == sorted(every)
    assert all(part == [name for name in every if name in part] for part in parts)


def test_shards_do_not_depend_on_the_history(
    run_command: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_command("s")
    remembered = shards(run_command, 3)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other-cache"))
    assert shards(run_command, 3) == remembered


def test_saved_durations_balance_the_shards(run_command: RunSteps, place: Path) -> None:
    assert run_command("--save-durations", "d.json", "s").status == 1
    durations = json.loads((place / "d.json").read_text())
    assert sorted(durations) == sorted(f"s/{name}" for name in ["fails", *GRID, "quick", "sized"])
    (place / "d.json").write_text(json.dumps(durations | {"s/quick": 100.0}))
    parts = shards(run_command, 2, "--durations", "d.json")
    assert sorted(map(len, parts)) == [1, 6]
    assert ["quick"] in parts
    told = {
        re.findall(r"shard ./2: .* fingerprint (\w+)", run_command("--list", *each, "--shard", "1/2", "s").stderr)[0]
        for each in ([], ["--durations", "d.json"])
    }
    assert len(told) == 2


def test_durations_of_other_shards_are_kept_in_the_file(run_command: RunSteps, place: Path) -> None:
    (place / "d.json").write_text('{"elsewhere": 3.0}')
    run_command("--durations", "d.json", "--save-durations", "d.json", "s/quick.yaml")
    assert json.loads((place / "d.json").read_text()).keys() == {"elsewhere", "s/quick"}


def test_durations_that_cannot_be_saved_are_an_error(run_command: RunSteps) -> None:
    run = run_command("--save-durations", "nowhere/d.json", "s/quick.yaml")
    assert run.status == 3
    assert "--save-durations: cannot write nowhere/d.json: No such file or directory" in run.stderr


# The history.


def test_a_failed_case_is_selected_until_it_passes(run_command: RunSteps, place: Path) -> None:
    assert run_command("s").status == 1
    assert names(run_command("--list", "--rerun-failed", "s")) == ["fails"]
    assert run_command("s/quick.yaml").status == 0
    assert names(run_command("--list", "--rerun-failed", "s")) == ["fails"]
    again = run_command("--rerun-failed", "s")
    assert (again.status, again.only.name) == (1, "s/fails")
    (place / "s/fails.yaml").write_text(QUICK)
    assert run_command("--rerun-failed", "s").status == 0
    assert run_command("--rerun-failed", "s").status == 5


def test_deselected_failed_cases_are_named(run_command: RunSteps) -> None:
    run_command("s")
    run = run_command("--rerun-failed", "s/quick.yaml")
    assert (run.status, run.message) == (
        5,
        "--rerun-failed deselects the only case: none of the previously failed cases is selected (s/fails)",
    )


def test_each_directory_has_its_own_history(
    run_command: RunSteps, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_command("s")
    monkeypatch.chdir(place / "s")
    assert command.run("--list", "--rerun-failed", "fails.yaml").status == 5


def test_a_case_not_started_by_fail_fast_remains_failed(run_command: RunSteps, place: Path) -> None:
    (place / "s/also.yaml").write_text(FAILS)
    run_command("s")
    run_command("--fail-fast", "-j", "1", "s")
    assert names(run_command("--list", "--rerun-failed", "s")) == ["also", "fails"]


def test_an_unreadable_history_is_ignored(
    run_command: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "broken"))
    run_command("s")
    (file,) = (tmp_path / "broken/run-scenarios").glob("runs-*.json")
    for text in ("", "[]", '{"failed": 1}', '{"failed": [], "durations": 5}'):
        file.write_text(text)
        assert run_command("--rerun-failed", "s").status == 5


# Order, rounds and limits.


def test_fail_fast_starts_no_case_after_the_first_failure(run_command: RunSteps) -> None:
    run = run_command("--fail-fast", "-j", "1", "s")
    assert (run.status, run.points[0].ok) == (1, False)
    assert {(each.directive, each.reason) for each in run.points[1:]} == {
        ("SKIP", "not run, another case failed (--fail-fast)")
    }
    assert len(run.points) == 7
    assert "Bail out!" not in run.stdout
    assert lint(run.stdout) == []


def test_an_invalid_file_counts_as_a_failure(run_command: RunSteps, place: Path) -> None:
    (place / "s/wrong.yaml").write_text(WRONG)
    run = run_command("--fail-fast", "s")
    assert (run.status, [each.directive for each in run.points]) == (2, ["", *["SKIP"] * 7])


def test_fail_fast_continues_after_a_pass(run_command: RunSteps) -> None:
    run = run_command("--fail-fast", "-j", "1", "s/quick.yaml", "s/sized.yaml")
    assert (run.status, [each.directive for each in run.points]) == (0, ["", ""])


def test_rounds_are_numbered_and_share_a_rerun_command(run_command: RunSteps) -> None:
    run = run_command("--repeat", "2", "s/fails.yaml", "s/quick.yaml")
    assert [each.name for each in run.points] == [
        "s/fails (round 1 of 2)",
        "s/quick (round 1 of 2)",
        "s/fails (round 2 of 2)",
        "s/quick (round 2 of 2)",
    ]
    assert {each.block.get("repro") for each in run.points} == {None, "run-scenarios s/fails.yaml"}
    assert lint(run.stdout) == []
    assert names(run_command("--list", "--rerun-failed", "s")) == ["fails"]


def test_a_random_order_can_be_repeated(run_command: RunSteps) -> None:
    first = run_command("--list", "--shuffle", "s")
    (again,) = re.findall(r"to repeat this order: (--shuffle=\w+)", first.stderr)
    assert names(run_command("--list", again, "s")) == names(first)
    assert sorted(names(first)) == sorted(names(run_command("--list", "s")))
    orders = {tuple(names(run_command("--list", f"--shuffle={seed}", "s"))) for seed in range(5)}
    assert len(orders) > 1


def test_a_seed_gives_the_same_order_for_fewer_cases(run_command: RunSteps) -> None:
    every = names(run_command("--list", "--shuffle=7", "s"))
    fewer = names(run_command("--list", "--shuffle=7", "--tag", "grid", "s"))
    assert fewer == [name for name in every if name in GRID]


def test_each_round_has_its_own_order(run_command: RunSteps) -> None:
    listed = names(run_command("--list", "--shuffle=1", "--repeat", "2", "s"))
    first, second = ([name.split(" (")[0] for name in part] for part in (listed[:7], listed[7:]))
    assert sorted(first) == sorted(second)
    assert first != second


def test_the_smaller_timeout_counts(run_command: RunSteps, place: Path) -> None:
    waits = "scenario: w\n%s\nsteps:\n  - launch\n  - wait-event: {name: STOP}\n"
    (place / "w.yaml").write_text(waits % "timeout: 100s")
    run = run_command("--timeout", "0.3", "w.yaml")
    assert run.only.block["reason"] == "timeout"
    assert "the case timed out after 0.3 s" in run.message
    assert run.only.block["repro"] == "run-scenarios --timeout 0.3 w.yaml"
    (place / "w.yaml").write_text(waits % "timeout: 300ms")
    assert "the case timed out after 0.3 s" in run_command("--timeout", "100", "w.yaml").message


@pytest.mark.parametrize(
    "arguments",
    [
        ["-k", "and", "s"],
        ["--shard", "0/2", "s"],
        ["--shard", "3/2", "s"],
        ["--shard", "2", "s"],
        ["--timeout", "0", "s"],
        ["--timeout", "nan", "s"],
        ["--repeat", "0", "s"],
        ["-D", "n", "s"],
        ["-D", "1n=1", "s"],
        ["--json", "-", "s"],
        ["--list", "--json=x", "s"],
        ["--shuf", "s"],
    ],
)
def test_wrong_usage_prints_no_report(arguments: list[str]) -> None:
    run = command.run(*arguments)
    assert (run.status, run.stdout) == (2, "")
    assert "run-scenarios: error: " in run.stderr


def test_a_wrong_expression_is_shown_with_a_caret() -> None:
    run = command.run("-k", "quick nor slow", "s")
    assert "argument -k: expected 'and' or 'or' here\n    quick nor slow\n          ^\n" in run.stderr


# Several builds.


@pytest.fixture
def builds(place: Path) -> list[str]:
    """Two builds, one of which reports another version."""
    real = shutil.which("qemu-system-x86_64") or ""
    for name, version in {"old": "8.9.1", "new": "99.0.0"}.items():
        (place / name).mkdir()
        program = place / name / "qemu-system-x86_64"
        program.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && echo "QEMU emulator version {version} (x)" && exit\nexec {real} "$@"\n'
        )
        program.chmod(0o755)
    return ["--qemu", "old/qemu-system-x86_64", "--qemu", "new/qemu-system-x86_64"]


def test_every_case_runs_on_each_build_with_a_label(run_command: RunSteps, place: Path, builds: list[str]) -> None:
    (place / "p.yaml").write_text(PASSES)
    (place / "f.yaml").write_text(PASSES.replace("1 == 1", "1 == 2"))
    run = run_command(*builds, "p.yaml", "f.yaml", "s/matrix.yaml::n=1,s=x")
    assert [(each.ok, each.name) for each in run.points] == [
        (True, "p[qemu=8.9.1]"),
        (True, "p[qemu=99.0.0]"),
        (False, "f[qemu=8.9.1]"),
        (False, "f[qemu=99.0.0]"),
        (True, "s/matrix[n=1,s=x,qemu=8.9.1]"),
        (True, "s/matrix[n=1,s=x,qemu=99.0.0]"),
    ]
    assert run.points[2].block["repro"] == "run-scenarios --qemu old/qemu-system-x86_64 f.yaml"
    assert names(run_command("--list", "-k", "qemu=99 and not matrix", *builds, "p.yaml", "s/matrix.yaml")) == [
        "p[qemu=99.0.0]"
    ]


def test_each_build_runs_its_own_program_and_the_tools_beside_it(
    run_command: RunSteps, place: Path, builds: list[str]
) -> None:
    for name in ("old", "new"):
        tool = place / name / "qemu-img"
        tool.write_text(f"#!/bin/sh\necho tool of {name} >&2\nexit 1\n")
        tool.chmod(0o755)
    (place / "i.yaml").write_text("scenario: i\nsteps:\n  - create-image: {file: a.qcow2, size: 1M}\n")
    run = run_command(*builds, "i.yaml")
    assert ["tool of old" in str(run.points[0].block), "tool of new" in str(run.points[1].block)] == [True, True]
    given = run_command(*builds, "--qemu-img", "qemu-img", "i.yaml")
    assert given.status == 0
    each = run_command(*builds, "--qemu-img", "new/qemu-img", "--qemu-img", "qemu-img", "i.yaml")
    assert [point.ok for point in each.points] == [False, True]
    assert each.points[0].block["repro"] == (
        "run-scenarios --qemu old/qemu-system-x86_64 --qemu-img new/qemu-img i.yaml"
    )


def test_builds_of_the_same_version_are_labelled_by_path(run_command: RunSteps, place: Path, builds: list[str]) -> None:
    other = place / "new/qemu-kvm"
    shutil.copy(place / "new/qemu-system-x86_64", other)
    run = run_command("--list", *builds, "--qemu", "new/qemu-kvm", "s/quick.yaml")
    assert names(run) == [
        "quick[qemu=8.9.1]",
        f"quick[qemu=99.0.0 {place}/new/qemu-system-x86_64]",
        f"quick[qemu=99.0.0 {other}]",
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--qemu", "new/qemu-system-x86_64"], "new/qemu-system-x86_64 is given twice"),
        (["--qemu-img", "a", "--qemu-img", "b", "--qemu-img", "c"], "--qemu-img is given 3 times, for 2 --qemu"),
    ],
)
def test_contradictory_builds_are_wrong_usage(
    run_command: RunSteps, builds: list[str], more: list[str], message: str
) -> None:
    run = run_command(*builds, *more, "s/quick.yaml")
    assert run.status == 2
    assert message in run.stderr


def test_a_missing_build_is_an_infrastructure_failure(run_command: RunSteps, builds: list[str]) -> None:
    run = run_command(*builds, "--qemu", "old/nosuch", "s/quick.yaml")
    assert (run.status, run.message) == (3, "--qemu: cannot run 'old/nosuch'")


def schema_without(name: str, file: Path) -> SavedSchemas:
    """Return the schemas of a QEMU without a command."""
    answers = json.loads(file.read_text())
    answers["qemu"]["schema"] = [each for each in answers["qemu"]["schema"] if each["name"] != name]
    file.write_text(json.dumps(answers))
    return SavedSchemas(load_schemas(file))


def test_a_file_invalid_for_one_build_runs_on_the_other(run_command: RunSteps, place: Path) -> None:
    (place / "p.yaml").write_text(PASSES)
    run_command("--save-qmp-schema", "qmp.json")
    old = QmpChecker(schema_without("query-status", place / "qmp.json"), lambda requires, schema: "")
    collection = collect(["p.yaml", "s/quick.yaml"], checkers={"8.9.1": old})
    builds = [Build(Programs({}), label) for label in ("8.9.1", "99.0.0")]
    selection = select_cases(SelectionOptions(), collection, builds, History())
    assert [point.name for point in selection.points] == [
        "p.yaml (invalid on QEMU 8.9.1)",
        "p[qemu=99.0.0]",
        "s/quick[qemu=8.9.1]",
        "s/quick[qemu=99.0.0]",
    ]
    (finding,) = selection.invalid_files[0].diagnostics
    assert finding.message == "there is no command 'query-status' [qemu=8.9.1]"
