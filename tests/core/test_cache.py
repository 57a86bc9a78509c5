"""A cache that cannot be used is ignored, whatever is in its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from run_scenarios.collection.history import History, load_history
from run_scenarios.core import cache
from run_scenarios.core.cache import locate_cache_file, read_json

from tests.support.command import PASSES
from tests.support.scenarios import RunSteps


def make_dangling_link(file: Path) -> None:
    file.symlink_to("nowhere")


def make_endless(file: Path) -> None:
    file.symlink_to("/dev/zero")


def make_directory(file: Path) -> None:
    file.mkdir()


def make_fifo(file: Path) -> None:
    os.mkfifo(file)


def write(text: str) -> Callable[[Path], None]:
    """Return a function that writes a text to a file."""

    def write_it(file: Path) -> None:
        file.write_text(text)

    return write_it


BROKEN = {
    "dangling link": make_dangling_link,
    "endless": make_endless,
    "directory": make_directory,
    "FIFO": make_fifo,
    "not JSON": write('{"x": '),
    "nested too deeply": write("[" * 100_000),
    "another type": write('{"failed": 1, "durations": []}'),
    "infinite": write('{"failed": [], "durations": {"a": Infinity}}'),
    "negative": write('{"failed": [], "durations": {"a": -1}}'),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_history_is_empty_and_stops_nothing(
    kind: str, tmp_path: Path, cache: Path, run_command: RunSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "a.yaml").write_text(PASSES)
    file = locate_cache_file("runs", str(tmp_path))
    file.parent.mkdir(parents=True)
    BROKEN[kind](file)
    assert load_history(tmp_path) == History()
    assert run_command("a.yaml").status == 0


def test_a_file_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    file.write_text("[1, 2]")
    assert read_json(file) == [1, 2]
    monkeypatch.setattr(cache, "MAX_JSON_BYTES", 5)
    with pytest.raises(OSError, match="File too large"):
        read_json(file)


@pytest.mark.parametrize("option", ["--durations", "--qmp-schema"])
def test_an_endless_file_of_the_user_is_an_error(option: str, run_command: RunSteps, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(PASSES)
    more = ["--shard", "1/1"] if option == "--durations" else []
    run = run_command(option, "/dev/zero", *more, "a.yaml")
    assert run.status in (2, 3)
    assert "cannot read /dev/zero: File too large" in run.stderr
