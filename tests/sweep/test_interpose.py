"""Nodes of a sweep go between the format and the file of what a step opens for writing, and nowhere else."""

from __future__ import annotations

from typing import Any

from run_scenarios.core.nodes import JsonObject, from_json, to_json
from run_scenarios.core.source import Source, Span
from run_scenarios.sweep.interpose import interpose

HERE = Span(Source("a.yaml", ""), 1, 1)
FILE: JsonObject = {"driver": "file", "filename": "a.qcow2"}


def wrap(node: JsonObject) -> JsonObject:
    return {"driver": "blkdebug", "image": node}


def interposed(verb: str, argument: Any) -> Any:
    return to_json(interpose(verb, from_json(argument, HERE), wrap))


def test_a_drive() -> None:
    drive = {"id": "d", "file": "a.qcow2", "format": "qcow2", "node-name": "n", "aio": "native"}
    assert interposed("launch", {"drives": [drive]})["drives"] == [
        {
            "id": "d",
            "format": "qcow2",
            "node-name": "n",
            "file.driver": "blkdebug",
            "file.image.driver": "file",
            "file.image.filename": "a.qcow2",
            "file.image.aio": "native",
        }
    ]


def test_a_node_of_launch_and_of_blockdev_add() -> None:
    node = {"driver": "qcow2", "node-name": "n", "file": FILE}
    wrapped = {**node, "file": {"driver": "blkdebug", "image": FILE}}
    assert interposed("launch", {"blockdev": [node]}) == {"blockdev": [wrapped]}
    command = {"execute": "blockdev-add", "arguments": node}
    assert interposed("qmp", command) == {**command, "arguments": wrapped}


def test_the_name_of_a_file_node_stays_that_of_the_node_that_the_scenario_refers_to() -> None:
    command = {"execute": "blockdev-add", "arguments": {**FILE, "node-name": "f"}}
    assert interposed("qmp", command)["arguments"] == {"driver": "blkdebug", "image": FILE, "node-name": "f"}


def test_files_below_filters_and_backing_nodes() -> None:
    node = {"driver": "throttle", "file": {"driver": "qcow2", "file": FILE, "backing": {"driver": "raw", "file": FILE}}}
    inner = {"driver": "blkdebug", "image": FILE}
    assert interposed("launch", {"blockdev": [node]})["blockdev"][0]["file"] == {
        "driver": "qcow2",
        "file": inner,
        "backing": {"driver": "raw", "file": inner},
    }


def test_what_is_read_only_and_other_steps_stay_the_same_object() -> None:
    steps: list[tuple[str, Any]] = [
        ("launch", {"drives": [{"id": "d", "file": "a.raw", "format": "raw", "read-only": True}]}),
        ("launch", {"blockdev": [{"driver": "qcow2", "read-only": True, "file": FILE}]}),
        ("launch", None),
        ("qmp", "query-block"),
        ("qmp", {"execute": "block_resize", "arguments": {"device": "d", "size": 1}}),
        ("write", {"file": "a.qcow2", "patterns": []}),
    ]
    for verb, value in steps:
        argument = from_json(value, HERE)
        assert interpose(verb, argument, wrap) is argument
