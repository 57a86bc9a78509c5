"""The generator of known QMP names reads replies, saved schemas and QAPI schemas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qa.known_qmp.__main__ import main

REPLIES = """
{"execute": "query-version"}

{"return": {"qemu": {"major": 6, "minor": 2, "micro": 0}}}

{"return": [{"meta-type": "command", "name": "one"}, {"meta-type": "enum", "name": "not-this"}]}
"""
SAVED = {
    "qemu": {
        "version": [12, 0, 1],
        "schema": [{"meta-type": "event", "name": "TWO", "features": ["deprecated"]}],
    }
}
QAPI = """
# { 'command': 'not-this' }
{ 'command': 'three',
  'data': { '*x': 'int' },
  'if': 'CONFIG_X', 'allow-oob': true,
  'features': [ { 'name': 'unstable', 'if': 'CONFIG_Y' } ] }
{ 'event': 'FOUR' }
{ 'struct': 'NotThis', 'data': {} }
"""


def test_names_of_all_sources_are_merged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.replies").write_text(REPLIES)
    (tmp_path / "b.json").write_text(json.dumps(SAVED))
    (tmp_path / "source/qapi").mkdir(parents=True)
    (tmp_path / "source/VERSION").write_text("10.2.2\n")
    (tmp_path / "source/qapi/c.json").write_text(QAPI)
    main([str(tmp_path / name) for name in ("a.replies", "b.json", "source")])
    module: dict[str, object] = {}
    exec(capsys.readouterr().out, module)
    names = {name: module[name] for name in ("OLDEST", "NEWEST", "COMMANDS", "EVENTS", "FEATURES")}
    assert names == {
        "OLDEST": (6, 2, 0),
        "NEWEST": (12, 0, 1),
        "COMMANDS": {"one", "three"},
        "EVENTS": {"TWO", "FOUR"},
        "FEATURES": {"TWO/deprecated", "three/unstable"},
    }
