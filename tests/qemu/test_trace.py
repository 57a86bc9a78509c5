"""The trace: the records it writes, and the messages that a failure report shows."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from run_scenarios.core.events import TrafficEntry
from run_scenarios.qemu.trace import (
    MAX_BUFFERED,
    MAX_BUFFERED_BYTES,
    MAX_REPEATS,
    MESSAGE_LIMIT,
    OUTPUT_LIMIT,
    RECORD_LIMIT,
    SHOWN_LENGTH,
    SHOWN_MESSAGES,
    TRAFFIC_LIMIT,
    Trace,
)

from tests.support.scenarios import RunSteps, trace_of

LARGE = "x" * (1 << 17)
ERROR = {"timestamp": 0, "event": "BLOCK_JOB_ERROR", "data": {"device": "j"}}


def test_each_record_is_a_line_of_json(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    trace.record_traffic("exec", None, ["qemu-img", "a\nb", "\udcff"])
    trace.record_traffic("send", "vm", {"execute": "stop"})
    trace.close()
    records = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert [(each["vm"], each["kind"], each["data"]) for each in records] == [
        (None, "exec", ["qemu-img", "a\nb", "\udcff"]),
        ("vm", "send", {"execute": "stop"}),
    ]
    assert 0 <= records[0]["t"] <= records[1]["t"] < 1


def test_the_last_messages_are_readable(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    trace.record_traffic("exec", None, ["qemu-img", "a b"])
    trace.record_traffic("exit", None, 0)
    trace.record_traffic("send", "vm", {"execute": "stop"})
    trace.record_traffic("recv", "vm", {"return": {}})
    trace.close()
    assert trace.last_messages() == (
        "tool $ qemu-img 'a b'",
        "tool = 0",
        'vm -> {"execute": "stop"}',
        'vm <- {"return": {}}',
    )


def test_only_a_few_messages_are_shown_and_long_ones_are_cut(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    for number in range(SHOWN_MESSAGES + 1):
        trace.record_traffic("exit", None, number)
    trace.record_traffic("exec", "vm", ["x" * (SHOWN_LENGTH + 1)])
    trace.close()
    assert trace.last_messages()[0] == "tool = 2"
    assert trace.last_messages()[-1] == f"vm $ {'x' * SHOWN_LENGTH}…"


def test_a_message_after_the_end_is_still_shown(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    trace.close()
    trace.record_traffic("exit", "vm", 0)
    assert trace.last_messages() == ("vm = 0",)
    assert (tmp_path / "trace.jsonl").read_text() == ""


def test_a_long_record_is_cut(tmp_path: Path) -> None:
    with closing(Trace(tmp_path / "trace.jsonl")) as trace:
        trace.record_traffic("recv", "vm", {"return": "x" * RECORD_LIMIT})
        trace.record_traffic("recv", "vm", {"return": {}})
    cut, whole = [json.loads(line)["data"] for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert cut == {"cut": '{"return": "' + "x" * (OUTPUT_LIMIT - 12), "characters": RECORD_LIMIT + 14}
    assert whole == {"return": {}}


def test_a_long_trace_keeps_its_beginning_and_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("run_scenarios.qemu.trace.HEAD_LIMIT", 2000)
    monkeypatch.setattr("run_scenarios.qemu.trace.TAIL_LIMIT", 1000)
    with closing(Trace(tmp_path / "trace.jsonl")) as trace:
        for number in range(MAX_BUFFERED + 100):
            trace.record_traffic("recv", "vm", {"return": number})
    assert (tmp_path / "trace.jsonl").stat().st_size <= 3100
    records = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    (middle,) = [index for index, each in enumerate(records) if each["kind"] == "omitted"]
    before, after = ([each["data"]["return"] for each in part] for part in (records[:middle], records[middle + 1 :]))
    assert before == list(range(len(before)))
    assert after == list(range(MAX_BUFFERED + 100 - len(after), MAX_BUFFERED + 100))
    assert len(before) + records[middle]["data"] + len(after) == MAX_BUFFERED + 100
    assert len(before) > 10 and len(after) > 5
    assert trace.problem == ""


def test_repeated_events_are_counted(tmp_path: Path) -> None:
    with closing(Trace(tmp_path / "trace.jsonl", record_step_traffic=True)) as trace:
        trace.begin_step({})
        trace.record_traffic("recv", "vm", {"event": "STOP"})
        for number in range(MAX_REPEATS + 5):
            trace.record_traffic("recv", "vm", {**ERROR, "timestamp": number})
        trace.record_traffic("recv", "other", ERROR)
        trace.record_traffic("recv", "other", {**ERROR, "data": {"device": "k"}})
        trace.record_traffic("recv", "other", {"return": {}})
        trace.record_traffic("recv", "other", {"return": {}})
        entries, _ = trace.end_step()
    shown = trace.last_messages()
    assert len(shown) == 6
    assert shown[1].endswith(f"({MAX_REPEATS + 5} times)")
    assert not any(line.endswith("times)") for line in (shown[0], *shown[2:]))
    records = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    kinds = [each["kind"] for each in records]
    assert kinds == ["step", "recv", *["recv"] * MAX_REPEATS, "repeated", *["recv"] * 4]
    repeated = records[MAX_REPEATS + 2]
    assert (repeated["vm"], repeated["data"]) == ("vm", {"event": "BLOCK_JOB_ERROR", "times": 5})
    assert [each["t"] for each in records] == sorted(each["t"] for each in records)
    assert len(entries) == 1 + MAX_REPEATS + 4


def test_a_write_error_is_recorded() -> None:
    with closing(Trace(Path("/dev/full"))) as trace:
        for _ in range(3):
            trace.record_traffic("recv", "vm", {"return": "x" * 10000})
        assert len(trace.last_messages()) == 3
    assert trace.problem == "cannot write the trace: No space left on device"


def test_a_discarded_trace_is_not_written(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    trace.record_traffic("exit", "vm", 0)
    trace.discard()
    trace.close()
    assert not (tmp_path / "trace.jsonl").exists()
    assert trace.last_messages() == ("vm = 0",)


def test_many_or_large_records_are_written_early(tmp_path: Path) -> None:
    with closing(Trace(tmp_path / "trace.jsonl")) as trace:
        for number in range(MAX_BUFFERED):
            assert not (tmp_path / "trace.jsonl").exists()
            trace.record_traffic("exit", None, number)
        trace.record_traffic("recv", "vm", {"return": LARGE}, MAX_BUFFERED_BYTES + 1)
        written = (tmp_path / "trace.jsonl").read_text()
        assert written.count("\n") >= MAX_BUFFERED
    records = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert [each["data"] for each in records] == [*range(MAX_BUFFERED), {"return": LARGE}]


def texts(messages: tuple[TrafficEntry, ...]) -> list[str]:
    """Return the texts of traffic entries."""
    return [each.text for each in messages]


def test_traffic_belongs_to_the_innermost_step(tmp_path: Path) -> None:
    with closing(Trace(tmp_path / "trace.jsonl", record_step_traffic=True)) as trace:
        trace.record_traffic("exit", "vm", 1)
        trace.begin_step({})
        trace.record_traffic("exec", None, ["qemu-img", "a b"])
        trace.begin_step({})
        trace.record_traffic("send", "vm", {"execute": "stop"})
        inner, _ = trace.end_step()
        trace.record_traffic("exit", "vm", 2)
        outer, _ = trace.end_step()
    assert [(each.vm, each.kind, each.text) for each in inner] == [("vm", "send", '{"execute": "stop"}')]
    assert [(each.vm, each.kind, each.text) for each in outer] == [("", "exec", "qemu-img 'a b'"), ("vm", "exit", "2")]
    assert 0 <= outer[0].at_s <= inner[0].at_s <= outer[1].at_s


def test_the_traffic_of_a_step_is_limited(tmp_path: Path) -> None:
    with closing(Trace(tmp_path / "trace.jsonl", record_step_traffic=True)) as trace:
        trace.begin_step({})
        trace.record_traffic("exec", None, ["x" * (MESSAGE_LIMIT + 1)])
        for _ in range(TRAFFIC_LIMIT):
            trace.record_traffic("exit", None, 0)
        messages, untold = trace.end_step()
    assert (texts(messages)[0], len(messages), untold) == ("x" * MESSAGE_LIMIT + "…", TRAFFIC_LIMIT, 1)


def test_step_traffic_is_only_kept_if_asked_for(tmp_path: Path) -> None:
    with closing(Trace(tmp_path / "trace.jsonl")) as trace:
        trace.begin_step({})
        trace.record_traffic("exit", None, 0)
        assert trace.end_step() == ((), 0)


def test_output_is_written_but_not_a_message(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    trace.record("step", None, {"number": 1})
    trace.record_output(None, "", "")
    trace.record_output("vm", "x" * (OUTPUT_LIMIT + 1), "")
    trace.close()
    assert trace.last_messages() == ()
    step, output = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert (step["kind"], step["data"]) == ("step", {"number": 1})
    assert (output["vm"], output["data"]) == ("vm", {"stdout": "x" * OUTPUT_LIMIT, "stderr": ""})


def test_the_trace_has_steps_consumed_events_and_the_failure(run_steps: RunSteps, tmp_path: Path) -> None:
    run_steps(
        """
        - launch
        - qmp: stop
        - wait-event: STOP
        - name: it runs
          qmp: query-status
          expect: {running: true}
          save: status
        """,
        "--artifacts",
        str(tmp_path / "kept"),
    )
    records = [each for each in trace_of(tmp_path / "kept") if each["kind"] in ("step", "take", "fail")]
    assert [each["kind"] for each in records] == ["step", "step", "step", "take", "step", "fail"]
    last, failed = records[-2]["data"], records[-1]["data"]
    assert last == {"number": 4, "verb": "qmp", "at": "case.yaml:8:5", "depth": 0, "name": "it runs", "save": "status"}
    assert (failed["step"], failed["path"], failed["found"]) == (4, "running", "false (boolean)")
    assert records[3]["data"]["event"] == "STOP"


def test_the_trace_has_the_output_of_tools_and_qemu_io(run_steps: RunSteps, tmp_path: Path) -> None:
    run_steps(
        """
        - create-image: {file: d.qcow2, size: 1M}
        - write: {file: d.qcow2, patterns: [{byte: 1, at: 0, size: 512}]}
        - launch: {drives: [{id: drive0, file: d.qcow2, format: qcow2}]}
        - write: {device: drive0, patterns: [{byte: 1, at: 512, size: 512}]}
        """,
        "--artifacts",
        str(tmp_path / "kept"),
    )
    printed = [(each["vm"], each["data"]["stdout"]) for each in trace_of(tmp_path / "kept") if each["kind"] == "output"]
    assert [vm for vm, _ in printed] == [None, "vm"]
    assert printed[0][1].startswith("wrote 512/512 bytes at offset 0\n")
    assert printed[1][1].startswith("wrote 512/512 bytes at offset 512\n")
