"""Every scenario in `good/` is read, checked and planned; what it would do is not run."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_scenarios.cli.main import main

GOOD = Path(__file__).parent / "good"
OPTIONS = {"outside-paths": ["--allow-outside"]}


@pytest.mark.parametrize("file", sorted(GOOD.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_right_file_is_planned(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(GOOD)
    status = main(["--list", *OPTIONS.get(file.stem, []), file.name])
    printed = capsys.readouterr()
    assert "error:" not in printed.err
    assert status == 0
    assert printed.out.startswith(file.stem)


def test_there_are_some() -> None:
    assert len(list(GOOD.glob("*.yaml"))) >= 12
