"""Record the messages and tools of a case in `trace.jsonl`, one JSON object per line.

Each record is `{"t": seconds since the case began, "vm": name or null, "kind": …, "data": …}`. Traffic has the kinds
`exec` (data: the argv of a child), `exit` (its status; minus the signal's number if one killed it), `send` and `recv`
(a QMP message). The other kinds are `step` (a step begins), `take` (an event that a step consumed), `output` (the
output of a tool, or of `qemu-io` in a monitor: `{"stdout": …, "stderr": …}`), `pause` (seconds between two tries),
`paused` (seconds in the debugger), `end` (all steps are done; running children are sent this signal) and `fail`.

Data longer than `RECORD_LIMIT` becomes `{"cut": its beginning as text, "characters": its length}`. Of an event that is
repeated with the same data, the first `MAX_REPEATS` are written, and the others are counted in a record `repeated`
(`{"event": name, "times": number}`). A trace of more than 32 MiB keeps `HEAD_LIMIT` bytes of its beginning and
`TAIL_LIMIT` of its end, with a record `omitted` (the number of missing records) in between.
"""

from __future__ import annotations

import json
import shlex
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from run_scenarios.core.events import TrafficEntry

SHOWN_MESSAGES = 12
SHOWN_LENGTH = 600
MESSAGE_LIMIT = 4000
TRAFFIC_LIMIT = 200
OUTPUT_LIMIT = 1 << 16
RECORD_LIMIT = 1 << 20
HEAD_LIMIT = 28 << 20
TAIL_LIMIT = (4 << 20) - 1024
MAX_REPEATS = 10
MAX_BUFFERED = 500
MAX_BUFFERED_BYTES = 1 << 20


class _Record(NamedTuple):
    moment: float
    kind: str
    vm: str | None
    data: object
    times: int = 1


class Trace:
    """Buffers records, writes them when the case has ended, and keeps the last messages for a failure report.

    Most cases pass and their trace is discarded, so records are encoded only when they are written.

    :param began: when the case began, by the monotonic clock; now by default.
    :param record_step_traffic: whether to keep the traffic of each step for `end_step`.
    """

    def __init__(self, file: Path, began: float | None = None, *, record_step_traffic: bool = False) -> None:
        self.problem = ""
        """Why the trace is incomplete, "" if it is complete."""
        self._head_room = HEAD_LIMIT
        self._tail: deque[str] = deque()
        self._tail_bytes = 0
        self._omitted = 0
        self._is_closed = False
        self._began = time.monotonic() if began is None else began
        self._record_step_traffic = record_step_traffic
        self._steps: list[_StepTraffic] = []
        self._path = file
        self._file: IO[str] | None = None
        self._buffer: list[_Record] = []
        self._buffered_bytes = 0
        self._last: deque[_Record] = deque(maxlen=SHOWN_MESSAGES)
        self._repeated: _Record | None = None

    def record_traffic(self, kind: str, vm: str | None, data: object, size: int = 0) -> None:
        """Append a message, the start of a program or its exit, which failure reports and steps show too.

        :param data: a value that JSON can hold.
        :param size: its length in bytes as JSON, 0 if it is short.
        """
        record = self._make_record(kind, vm, data)
        if self._is_repeat(record):
            self._last[-1] = self._last[-1]._replace(times=self._last[-1].times + 1)
            if self._last[-1].times > MAX_REPEATS:
                self._repeated = record._replace(times=self._repeated.times + 1 if self._repeated else 1)
                return
        else:
            self._flush_repeats()
            self._last.append(record)
        if self._steps:
            self._steps[-1].add(record)
        self._append(record, size)

    def record(self, kind: str, vm: str | None, data: object) -> None:
        """Append a record that only the trace shows."""
        self._flush_repeats()
        self._append(self._make_record(kind, vm, data))

    def record_output(self, vm: str | None, stdout: str, stderr: str) -> None:
        """Append what was printed, if anything, cut to `OUTPUT_LIMIT` characters each."""
        if stdout or stderr:
            self.record("output", vm, {"stdout": stdout[:OUTPUT_LIMIT], "stderr": stderr[:OUTPUT_LIMIT]})

    def begin_step(self, step: object) -> None:
        """Append a step, which the following traffic belongs to until it ends or a nested step begins."""
        self.record("step", None, step)
        if self._record_step_traffic:
            self._steps.append(_StepTraffic())

    def end_step(self) -> tuple[tuple[TrafficEntry, ...], int]:
        """Return the first `TRAFFIC_LIMIT` entries of the innermost step, and how many more were omitted."""
        traffic = self._steps.pop() if self._steps else _StepTraffic()
        return tuple(traffic.entries), traffic.omitted

    def last_messages(self) -> tuple[str, ...]:
        """Return the last traffic as lines of text, oldest first, each cut to `SHOWN_LENGTH`; repeats are one line."""
        return tuple(map(_format_record, self._last))

    def discard(self) -> None:
        """Write nothing more: the trace will not be kept."""
        self._is_closed = True

    def close(self) -> None:
        """Write what is buffered."""
        self._flush_repeats()
        if not self._is_closed:
            self._flush()
            if self._file and not self.problem:
                self._write_tail(self._file)
        self._close_file()

    def _make_record(self, kind: str, vm: str | None, data: object) -> _Record:
        return _Record(time.monotonic() - self._began, kind, vm, data)

    def _append(self, record: _Record, size: int = 0) -> None:
        if not self._is_closed:
            self._buffer.append(record)
            self._buffered_bytes += size
            if len(self._buffer) >= MAX_BUFFERED or self._buffered_bytes > MAX_BUFFERED_BYTES:
                self._flush()

    def _is_repeat(self, record: _Record) -> bool:
        """Return whether a record is the same event as the last one, apart from its timestamp."""
        if not (self._last and self._last[-1].vm == record.vm and isinstance(record.data, dict)):
            return False
        event, last = record.data, self._last[-1].data
        return (
            "event" in event
            and isinstance(last, dict)
            and event["event"] == last.get("event")
            and event.get("data") == last.get("data")
        )

    def _flush_repeats(self) -> None:
        if self._repeated:
            moment, _, vm, event, times = self._repeated
            assert isinstance(event, dict)
            self._repeated = None
            self._append(_Record(moment, "repeated", vm, {"event": event["event"], "times": times}))

    def _flush(self) -> None:
        with self._catch_write_errors():
            self._file = self._file or self._path.open("w", encoding="utf-8")
            for record in self._buffer:
                self._write(_encode(record))
        self._buffer.clear()
        self._buffered_bytes = 0
        if self.problem:
            self._close_file()

    def _write(self, line: str) -> None:
        """Write a line to the file, or, once the head is full, to the tail."""
        self._head_room -= len(line)
        if self._head_room >= 0:
            assert self._file
            self._file.write(line)
            return
        self._tail.append(line)
        self._tail_bytes += len(line)
        while self._tail_bytes > TAIL_LIMIT:
            self._tail_bytes -= len(self._tail.popleft())
            self._omitted += 1

    def _write_tail(self, file: IO[str]) -> None:
        with self._catch_write_errors():
            if self._omitted:
                file.write(_encode(self._make_record("omitted", None, self._omitted)))
            file.writelines(self._tail)

    def _close_file(self) -> None:
        self._is_closed = True
        if self._file:
            with self._catch_write_errors():
                self._file.close()

    @contextmanager
    def _catch_write_errors(self) -> Iterator[None]:
        """Record write errors instead of raising them; the caller checks `problem`."""
        try:
            yield
        except OSError as error:
            self.problem = f"cannot write the trace: {error.strerror}"


@dataclass
class _StepTraffic:
    """The first `TRAFFIC_LIMIT` entries of a step, and the number of those that followed."""

    entries: list[TrafficEntry] = field(default_factory=list)
    omitted: int = 0

    def add(self, record: _Record) -> None:
        if len(self.entries) < TRAFFIC_LIMIT:
            text = _format_data(record, MESSAGE_LIMIT)
            self.entries.append(TrafficEntry(record.moment, record.vm or "", record.kind, text))
        else:
            self.omitted += 1


def _encode(record: _Record) -> str:
    text = json.dumps(record.data)
    if len(text) > RECORD_LIMIT:
        text = json.dumps({"cut": text[:OUTPUT_LIMIT], "characters": len(text)})
    moment, vm = round(record.moment, 6), json.dumps(record.vm)
    return f'{{"t": {moment!r}, "vm": {vm}, "kind": "{record.kind}", "data": {text}}}\n'


def _format_record(record: _Record) -> str:
    arrow = {"send": "->", "recv": "<-", "exec": "$", "exit": "="}[record.kind]
    times = f" ({record.times} times)" if record.times > 1 else ""
    return f"{record.vm or 'tool'} {arrow} {_format_data(record, SHOWN_LENGTH)}{times}"


def _format_data(record: _Record, limit: int) -> str:
    data = record.data
    text = shlex.join(data) if isinstance(data, list) else json.dumps(data)
    return text if len(text) <= limit else f"{text[:limit]}…"
