"""Find the files that paths on the command line mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_scenarios.collection.discover import discover, display_path


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.yaml", "a.yml", "sub/c.yaml", "sub/.hidden.yaml", ".git/d.yaml", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*arguments: str) -> list[str]:
    return [each.shown_as for each in discover(arguments)[0]]


def test_a_directory_means_its_scenarios_sorted_by_name() -> None:
    assert names(".") == ["a.yml", "b.yaml", "sub/c.yaml"]


def test_files_are_unique_and_in_the_order_of_arguments() -> None:
    assert names("sub", ".", "b.yaml", "./b.yaml") == ["sub/c.yaml", "a.yml", "b.yaml"]


def test_a_named_file_needs_no_suffix() -> None:
    assert names("notes.txt") == ["notes.txt"]


def test_a_selector_names_a_case() -> None:
    (found,), missing = discover(["b.yaml::a=1,b=2"])
    assert (found.shown_as, found.selector, missing) == ("b.yaml", "a=1,b=2", [])


@pytest.mark.parametrize(("arguments", "alone"), [(["b.yaml"], True), (["b.yaml", "sub"], False), (["sub"], False)])
def test_a_file_is_alone_if_nothing_else_is_named(arguments: list[str], alone: bool) -> None:
    assert {each.alone for each in discover(arguments)[0]} == {alone}


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("empty", "this directory has no scenarios"),
        ("c.yaml", "no such file"),
        ("bb.yaml", "did you mean 'b.yaml'?"),
    ],
)
def test_a_path_without_scenarios_is_missing(argument: str, said: str) -> None:
    found, (missing,) = discover([argument])
    assert not found
    assert said in missing.diagnostic.render()


def test_a_file_outside_the_current_directory_is_shown_in_full(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "sub")
    assert display_path(Path("../b.yaml")) == str(tree / "b.yaml")
    assert display_path(tree / "sub" / "c.yaml") == "c.yaml"
