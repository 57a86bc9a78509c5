"""The record of what a case did: `trace.jsonl`, one JSON object per line. Imports nodes.

Each record is `{"t": seconds since the case began, "vm": name or null, "kind": …, "data": …}`; `kind` is `exec` (data:
a child's argv), `exit` (its status; minus the signal's number if one killed it), `send` or `recv` (a QMP message).
"""

from __future__ import annotations

import json
import shlex
import time
from collections import deque
from pathlib import Path
from typing import IO

LAST_SHOWN = 12
FIELD_LIMIT = 600


class Trace:
    """Writes records as they come and remembers the last few for a failure report."""

    def __init__(self, file: Path) -> None:
        self._began = time.monotonic()
        self._file: IO[str] = file.open("w", encoding="utf-8")
        self._last: deque[tuple[str | None, str, object]] = deque(maxlen=LAST_SHOWN)

    def record(self, kind: str, vm: str | None, data: object, text: str = "") -> None:
        """Append one record.

        :param text: `data` as one line of JSON, if it is known already.
        """
        moment = round(time.monotonic() - self._began, 6)
        self._last.append((vm, kind, data))
        if not self._file.closed:
            text = text or json.dumps(data)
            self._file.write(f'{{"t": {moment!r}, "vm": {json.dumps(vm)}, "kind": "{kind}", "data": {text}}}\n')

    def last(self) -> tuple[str, ...]:
        """Return the last records as text, oldest first, each cut to a readable length."""
        return tuple(_shown(*record) for record in self._last)

    def close(self) -> None:
        """Write out what is buffered."""
        self._file.close()


def _shown(vm: str | None, kind: str, data: object) -> str:
    arrow = {"send": "->", "recv": "<-", "exec": "$", "exit": "="}[kind]
    text = shlex.join(data) if isinstance(data, list) else json.dumps(data)
    text = text if len(text) <= FIELD_LIMIT else f"{text[:FIELD_LIMIT]}…"
    return f"{vm or 'tool'} {arrow} {text}"
