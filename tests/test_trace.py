"""The trace: what is written, and what a failure report shows of it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from runner.model import Message
from runner.trace import FIELD_LIMIT, LAST_SHOWN, MESSAGE_LIMIT, TRAFFIC_LIMIT, Trace


def test_each_record_is_a_line_of_json(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    trace.record("exec", None, ["qemu-img", "a\nb", "\udcff"])
    trace.record("send", "vm", {"execute": "stop"})
    trace.close()
    records = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert [(each["vm"], each["kind"], each["data"]) for each in records] == [
        (None, "exec", ["qemu-img", "a\nb", "\udcff"]),
        ("vm", "send", {"execute": "stop"}),
    ]
    assert 0 <= records[0]["t"] <= records[1]["t"] < 1


def test_the_last_records_are_shown_as_one_would_write_them(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    trace.record("exec", None, ["qemu-img", "a b"])
    trace.record("exit", None, 0)
    trace.record("send", "vm", {"execute": "stop"})
    trace.record("recv", "vm", {"return": {}})
    trace.close()
    assert trace.last() == (
        "tool $ qemu-img 'a b'",
        "tool = 0",
        'vm -> {"execute": "stop"}',
        'vm <- {"return": {}}',
    )


def test_only_the_last_few_are_shown_and_each_is_cut(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    for number in range(LAST_SHOWN + 1):
        trace.record("exit", None, number)
    trace.record("exec", "vm", ["x" * (FIELD_LIMIT + 1)])
    trace.close()
    assert trace.last()[0] == "tool = 2"
    assert trace.last()[-1] == f"vm $ {'x' * FIELD_LIMIT}…"


def test_a_record_after_the_end_is_still_shown(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    trace.close()
    trace.record("exit", "vm", 0)
    assert trace.last() == ("vm = 0",)
    assert (tmp_path / "trace.jsonl").read_text() == ""


def texts(messages: tuple[Message, ...]) -> list[str]:
    """Return what messages say."""
    return [each.text for each in messages]


def test_what_is_recorded_belongs_to_the_innermost_step(tmp_path: Path) -> None:
    with closing(Trace(tmp_path / "trace.jsonl", follows_steps=True)) as trace:
        trace.record("exit", "vm", 1)
        trace.begin_step()
        trace.record("exec", None, ["qemu-img", "a b"])
        trace.begin_step()
        trace.record("send", "vm", {"execute": "stop"})
        inner, _ = trace.end_step()
        trace.record("exit", "vm", 2)
        outer, _ = trace.end_step()
    assert [(each.vm, each.kind, each.text) for each in inner] == [("vm", "send", '{"execute": "stop"}')]
    assert [(each.vm, each.kind, each.text) for each in outer] == [("", "exec", "qemu-img 'a b'"), ("vm", "exit", "2")]
    assert 0 <= outer[0].at_s <= inner[0].at_s <= outer[1].at_s


def test_a_step_keeps_no_more_than_there_is_room_for(tmp_path: Path) -> None:
    with closing(Trace(tmp_path / "trace.jsonl", follows_steps=True)) as trace:
        trace.begin_step()
        trace.record("exec", None, ["x" * (MESSAGE_LIMIT + 1)])
        for _ in range(TRAFFIC_LIMIT):
            trace.record("exit", None, 0)
        messages, untold = trace.end_step()
    assert (texts(messages)[0], len(messages), untold) == ("x" * MESSAGE_LIMIT + "…", TRAFFIC_LIMIT, 1)


def test_nothing_is_kept_of_steps_unless_they_are_followed(tmp_path: Path) -> None:
    with closing(Trace(tmp_path / "trace.jsonl")) as trace:
        trace.begin_step()
        trace.record("exit", None, 0)
        assert trace.end_step() == ((), 0)
