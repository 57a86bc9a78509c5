"""The record of what a case did: `trace.jsonl`, one JSON object per line. Imports model.

Each record is `{"t": seconds since the case began, "vm": name or null, "kind": …, "data": …}`. What came and went has
the kind `exec` (data: a child's argv), `exit` (its status; minus the signal's number if one killed it), `send` or
`recv` (a QMP message). What it was for, and what came of it, has `step`, `take` (an event that a step consumed),
`output` (what a tool or a monitor's `qemu-io` printed: `{"stdout": …, "stderr": …}`), `pause` (seconds between two
tries), `paused` (seconds that somebody looked at it), `end` (no step is left; what runs is sent this signal) and
`fail`. Data longer than `RECORD_LIMIT` is `{"cut": its beginning as text, "characters": how many it had}`; a trace that
has come to `TRACE_LIMIT` ends with a record of the kind `full`.
"""

from __future__ import annotations

import json
import shlex
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from run_scenarios.core.events import TrafficEntry

LAST_SHOWN = 12
FIELD_LIMIT = 600
MESSAGE_LIMIT = 4000
TRAFFIC_LIMIT = 200
OUTPUT_LIMIT = 1 << 16
RECORD_LIMIT = 1 << 20
TRACE_LIMIT = 32 << 20
MOST_HELD = 500
LONG = 1 << 16
"""Characters of a record that is not held in memory."""


class _Record(NamedTuple):
    """One record, before it is written; `text` is its data as JSON if that is known, and no data is needed then.

    :param data: as JSON has it, or what returns that.
    """

    moment: float
    kind: str
    vm: str | None
    data: object
    text: str = ""


class Trace:
    """Takes records as they come, writes them in the end, and remembers the last few for a failure report.

    Most cases pass, and nobody reads what they did: their records are dropped before they are made text.

    :param began: when the case began, by the monotonic clock; now by default.
    :param record_step_traffic: whether to remember what belongs to each step too.
    """

    def __init__(self, file: Path, began: float | None = None, *, record_step_traffic: bool = False) -> None:
        self.problem = ""
        """Why it is not complete, "" if it is."""
        self._room = TRACE_LIMIT
        self._is_over = False
        self._began = time.monotonic() if began is None else began
        self._record_step_traffic = record_step_traffic
        self._steps: list[_Traffic] = []
        self._path = file
        self._file: IO[str] | None = None
        self._held: list[_Record] = []
        self._last: deque[_Record] = deque(maxlen=LAST_SHOWN)

    def record_traffic(self, kind: str, vm: str | None, data: object, text: str = "") -> None:
        """Append one record.

        :param text: `data` as one line of JSON, if it is known already; then `data` itself is not looked at.
        """
        record = _Record(time.monotonic() - self._began, kind, vm, data, text)
        self._last.append(record)
        if self._steps:
            self._steps[-1].add(record)
        self._hold(record)

    def record(self, kind: str, vm: str | None, data: object) -> None:
        """Append a record of what was made of others, which no report of messages shows."""
        self._hold(_Record(time.monotonic() - self._began, kind, vm, data))

    def record_output(self, vm: str | None, stdout: str, stderr: str) -> None:
        """Append what was printed, each cut to its beginning, if anything was."""
        if stdout or stderr:
            self.record("output", vm, {"stdout": stdout[:OUTPUT_LIMIT], "stderr": stderr[:OUTPUT_LIMIT]})

    def begin_step(self, step: Callable[[], object]) -> None:
        """Have what is recorded from now on belong to a step, until that ends or one within it begins.

        :param step: says what the trace is to tell of it, if it is written.
        """
        self.record("step", None, step)
        if self._record_step_traffic:
            self._steps.append(_Traffic())

    def end_step(self) -> tuple[tuple[TrafficEntry, ...], int]:
        """Return the first messages of the step that began last, and how many more there were.

        Nothing if steps are not followed.
        """
        traffic = self._steps.pop() if self._steps else _Traffic()
        return tuple(traffic.messages), traffic.omitted

    def last_messages(self) -> tuple[str, ...]:
        """Return the last records as text, oldest first, each cut to a readable length."""
        return tuple(map(_shown, self._last))

    def discard(self) -> None:
        """Have nothing more written: nobody will read it."""
        self._is_over = True

    def close(self) -> None:
        """Write what is held."""
        if not self._is_over:
            self._write_held()
        self._end()

    def _hold(self, record: _Record) -> None:
        if self._is_over:
            return
        self._held.append(record)
        if len(self._held) == MOST_HELD or len(record.text) > LONG:
            self._write_held()

    def _write_held(self) -> None:
        with self._noting_problems():
            self._file = self._file or self._path.open("w", encoding="utf-8")
            for record in self._held:
                self._file.write(self._line(record))
                if self._room < 0:
                    break
        self._held.clear()
        if self.problem or self._room < 0:
            self._end()

    def _line(self, record: _Record) -> str:
        moment, kind, vm, data, text = record
        text = text or json.dumps(data() if callable(data) else data)
        if len(text) > RECORD_LIMIT:
            text = json.dumps({"cut": text[:OUTPUT_LIMIT], "characters": len(text)})
        self._room -= len(text)
        if self._room < 0:
            kind, text = "full", "null"
        return f'{{"t": {round(moment, 6)!r}, "vm": {json.dumps(vm)}, "kind": "{kind}", "data": {text}}}\n'

    def _end(self) -> None:
        self._is_over = True
        if self._file:
            with self._noting_problems():
                self._file.close()

    @contextmanager
    def _noting_problems(self) -> Iterator[None]:
        """A trace that cannot be written must not stop what it is of; whoever ran that looks for a problem then."""
        try:
            yield
        except OSError as error:
            self.problem = f"cannot write the trace: {error.strerror}"


@dataclass
class _Traffic:
    """What was sent, received, started and ended during a step, as far as there is room."""

    messages: list[TrafficEntry] = field(default_factory=list)
    omitted: int = 0

    def add(self, record: _Record) -> None:
        if len(self.messages) < TRAFFIC_LIMIT:
            text = _shortened(record, MESSAGE_LIMIT)
            self.messages.append(TrafficEntry(record.moment, record.vm or "", record.kind, text))
        else:
            self.omitted += 1


def _shown(record: _Record) -> str:
    arrow = {"send": "->", "recv": "<-", "exec": "$", "exit": "="}[record.kind]
    return f"{record.vm or 'tool'} {arrow} {_shortened(record, FIELD_LIMIT)}"


def _shortened(record: _Record, limit: int) -> str:
    data = record.data
    text = record.text or (shlex.join(data) if isinstance(data, list) else json.dumps(data))
    return text if len(text) <= limit else f"{text[:limit]}…"
