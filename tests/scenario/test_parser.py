"""Parsing files: imports, scopes and limits."""

from __future__ import annotations

from pathlib import Path

from run_scenarios.scenario.model import InvalidFile, Library, Scenario
from run_scenarios.scenario.parser import Reader, parse_again

ONE_STEP = "scenario: a\nsteps: [launch]\n"


def write(directory: Path, **files: str) -> None:
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(text)


def read(directory: Path, name: str = "a") -> Scenario | Library | InvalidFile:
    return Reader.from_disk().read(directory / f"{name}.yaml", f"{name}.yaml")


def bad(directory: Path, name: str = "a") -> list[str]:
    content = read(directory, name)
    assert isinstance(content, InvalidFile)
    return [each.render() for each in content.diagnostics]


def test_a_file_of_procedures_is_a_library(tmp_path: Path) -> None:
    write(tmp_path, a="procedures: {p: {steps: [launch]}}\n")
    library = read(tmp_path)
    assert isinstance(library, Library)
    assert list(library.own) == ["p"]


def test_imported_procedures_are_visible_but_not_exported(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="scenario: a\nimport: [b.yaml]\nsteps: [{call: q}]\n",
        b="import: [c.yaml]\nprocedures: {q: {steps: [{call: p}]}}\n",
        c="procedures: {p: {steps: [launch]}}\n",
    )
    scenario = read(tmp_path)
    assert isinstance(scenario, Scenario)
    assert list(scenario.procedures) == ["q"]
    assert set(scenario.procedures["q"].visible) == {"p", "q"}


def test_the_parts_of_a_scenario_are_parsed(tmp_path: Path) -> None:
    head = "summary: >\n  two\n  lines\ntags: [x]\ntimeout: 2m\nexpected-failure: known\n"
    write(tmp_path, a=f"{ONE_STEP}{head}requires: {{qemu: '>= 8.0', commands: [quit]}}\n")
    scenario = read(tmp_path)
    assert isinstance(scenario, Scenario)
    assert (scenario.file.title, scenario.file.tags) == ("a", ("x",))
    assert (scenario.summary, scenario.timeout_s) == ("two lines", 120)
    assert [each.because for each in scenario.expected_failures] == ["known"]
    assert scenario.requires.lists == {"commands": ("quit",)}
    assert scenario.requires


def test_a_mistake_in_a_file_imported_twice_is_reported_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=f"{ONE_STEP}import: [b.yaml, c.yaml]\n",
        b="import: [d.yaml]\nprocedures: {b: {steps: [launch]}}\n",
        c="import: [d.yaml]\nprocedures: {c: {steps: [launch]}}\n",
        d="procedures: {d: {steps: [luanch]}}\n",
    )
    assert sum("luanch'" in each for each in bad(tmp_path)) == 1


def test_a_long_chain_of_imports_is_refused(tmp_path: Path) -> None:
    for number in range(100):
        text = f"import: [b{number + 1}.yaml]\nprocedures: {{p{number}: {{steps: [launch]}}}}\n"
        write(tmp_path, **{f"b{number}": text})
    write(tmp_path, a=f"{ONE_STEP}import: [b0.yaml]\n")
    assert any("imports nested more than 20 deep" in each for each in bad(tmp_path))


def test_a_long_chain_of_calls_is_refused(tmp_path: Path) -> None:
    procedures = "".join(f"  p{n}: {{steps: [{{call: p{n + 1}}}]}}\n" for n in range(3000))
    write(tmp_path, a=f"{ONE_STEP}procedures:\n{procedures}  p3000: {{steps: [launch]}}\n")
    (said,) = bad(tmp_path)
    assert "calls nested more than 50 deep" in said


def test_thousands_of_mistakes_end_the_search(tmp_path: Path) -> None:
    write(tmp_path, a="scenario: a\nsteps:\n" + "  - luanch\n" * 20_000)
    assert 100 < len(bad(tmp_path)) < 1000


def test_mistakes_are_sorted_by_place(tmp_path: Path) -> None:
    write(tmp_path, a="steps: [luanch, kil]\nzzz: 1\nscenario: 5\n")
    assert [each.split(": ")[0] for each in bad(tmp_path)] == ["a.yaml:1:9", "a.yaml:1:17", "a.yaml:2:1", "a.yaml:3:11"]


def test_a_file_imported_by_two_names_is_parsed_again_without_the_disk(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="scenario: a\nimport: [b.yaml, linked.yaml]\nsteps: [{call: p}]\n",
        b="procedures: {p: {steps: [launch]}}\n",
    )
    (tmp_path / "linked.yaml").symlink_to("b.yaml")
    scenario = read(tmp_path)
    assert isinstance(scenario, Scenario)
    for file in tmp_path.iterdir():
        file.unlink()
    assert list(parse_again(scenario.file).procedures) == ["p"]
