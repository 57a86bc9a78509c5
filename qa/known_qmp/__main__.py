"""Write the QMP commands, events and features that some QEMU offers, as a module of the package.

Usage: python -m qa.known_qmp SOURCE... > runner/run_scenarios/qmp/known_names.py

Each SOURCE is a file with the QMP replies of one QEMU from libvirt's tests/qemucapabilitiesdata (*.replies), a file
that --save-qmp-schema wrote (*.json), or a directory with the source of QEMU. The names of all sources are merged, so
name all of them each time.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Version = tuple[int, ...]
HEAD = '''"""The QMP names of QEMU {oldest} to {newest}; `python -m qa.known_qmp` generates this module."""

from __future__ import annotations

OLDEST = {oldest_tuple}
NEWEST = {newest_tuple}
'''


@dataclass
class Names:
    """The names that one or more versions of QEMU offer; features are written `command/feature`."""

    versions: list[Version] = field(default_factory=list)
    commands: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    features: set[str] = field(default_factory=set)

    def add(self, kind: str, name: str, features: Iterable[str | dict[str, Any]]) -> None:
        """Add a command or an event."""
        (self.commands if kind == "command" else self.events).add(name)
        self.features |= {f"{name}/{each if isinstance(each, str) else each['name']}" for each in features}

    def add_schema(self, entities: Iterable[dict[str, Any]]) -> None:
        """Add what `query-qmp-schema` returns."""
        for each in entities:
            if each["meta-type"] in ("command", "event"):
                self.add(each["meta-type"], each["name"], each.get("features", ()))


def read_replies(names: Names, file: Path) -> None:
    """Add the names in a file of QMP messages, one JSON value after the other."""
    text, decoder, start = file.read_text(), json.JSONDecoder(), 0
    while (start := len(text) - len(text[start:].lstrip())) < len(text):
        message, start = decoder.raw_decode(text, start)
        reply = message.get("return")
        if isinstance(reply, dict) and "qemu" in reply:
            names.versions.append(tuple(reply["qemu"][part] for part in ("major", "minor", "micro")))
        elif isinstance(reply, list) and reply and "meta-type" in reply[0]:
            names.add_schema(reply)


def read_saved_schema(names: Names, file: Path) -> None:
    """Add the names in a file that --save-qmp-schema wrote."""
    for program in json.loads(file.read_text()).values():
        names.versions.append(tuple(program["version"]))
        names.add_schema(program["schema"])


def read_source(names: Names, directory: Path) -> None:
    """Add the names in QEMU's QAPI schema, those that depend on the configuration too."""
    names.versions.append(tuple(map(int, (directory / "VERSION").read_text().split("."))))
    for file in sorted((directory / "qapi").glob("*.json")):
        for expression in parse_qapi(file.read_text()):
            for kind in {"command", "event"} & expression.keys():
                names.add(kind, expression[kind], expression.get("features", ()))


def parse_qapi(text: str) -> Iterator[dict[str, Any]]:
    """Yield the expressions of a QAPI schema: JSON with single quotes and comments."""
    code = re.sub(r"^\s*#.*$", "", text, flags=re.M)
    code = re.sub(r"\btrue\b", "True", re.sub(r"\bfalse\b", "False", code))
    # An expression begins at the start of a line, and nothing within it does.
    for expression in re.split(r"^(?=\{)", code, flags=re.M)[1:]:
        yield ast.literal_eval(expression.strip())


def render_module(names: Names) -> str:
    """Return the text of the module."""
    oldest, newest = min(names.versions), max(names.versions)
    parts = [
        HEAD.format(
            oldest=".".join(map(str, oldest[:2])),
            newest=".".join(map(str, newest[:2])),
            oldest_tuple=oldest,
            newest_tuple=newest,
        )
    ]
    for title, each in (("COMMANDS", names.commands), ("EVENTS", names.events), ("FEATURES", names.features)):
        lines = textwrap.wrap(" ".join(sorted(each)), 120, break_on_hyphens=False, break_long_words=False)
        parts.append('_{0} = """\n{1}\n"""\n{0} = frozenset(_{0}.split())\n'.format(title, "\n".join(lines)))
    return "".join(parts)


def main(sources: list[str]) -> None:
    """Write the module to standard output."""
    names = Names()
    for source in map(Path, sources):
        if source.is_dir():
            read_source(names, source)
        elif source.suffix == ".json":
            read_saved_schema(names, source)
        else:
            read_replies(names, source)
    sys.stdout.write(render_module(names))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
