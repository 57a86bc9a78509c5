"""Collect what helps to debug a case: the state of its VMs and images, and a script that replays it.

Nothing here takes long or can fail. The queries also show whether a VM has crashed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from run_scenarios.core.errors import CommandFailed, RunnerError
from run_scenarios.core.events import Outcome, Result
from run_scenarios.core.nodes import JsonObject
from run_scenarios.execution.reproduce import ScriptHeader, make_script
from run_scenarios.qemu.machine import Machine
from run_scenarios.qemu.process import ChildProcesses
from run_scenarios.qemu.programs import Programs
from run_scenarios.scenario.case import Task
from run_scenarios.scenario.confinement import find_outside_link

ANSWER_S = 2.0
IMAGES_S = 10.0
MAX_IMAGES = 16
QUERIES: dict[str, dict[str, Any]] = {
    "query-jobs": {},
    "query-block-jobs": {},
    "query-block": {},
    "query-named-block-nodes": {"flat": True},
    "x-debug-query-block-graph": {},
}
INFO = {
    "info": ("info", "-U", "--backing-chain", "--output=json"),
    "map": ("map", "-U", "--output=json"),
}


async def query_vms(machines: Iterable[Machine]) -> None:
    """Query the nodes, bitmaps and jobs of every running VM; the trace records the replies.

    A VM that does not answer within `ANSWER_S` seconds is given up.
    """
    await asyncio.gather(*(_query_vm(machine) for machine in machines if machine.is_running))


async def _query_vm(machine: Machine) -> None:
    with suppress(TimeoutError, RunnerError):
        async with asyncio.timeout(ANSWER_S):
            for command, arguments in QUERIES.items():
                with suppress(CommandFailed):
                    await machine.query(command, **arguments)


async def inspect_images(work: Path, logs: Path, programs: Programs, processes: ChildProcesses) -> None:
    """Write the output of `qemu-img info` and `qemu-img map` for the first images of a case below `qemu-img/`.

    Does nothing if a link leads out of the directory.

    :raise OSError: if it cannot be written.
    """
    if "qemu-img" not in programs.paths or find_outside_link(work):
        return
    with suppress(TimeoutError, RunnerError):
        async with asyncio.timeout(IMAGES_S):
            for image in _list_images(work)[:MAX_IMAGES]:
                for what, words in INFO.items():
                    done = await processes.run([programs["qemu-img"], *words, image])
                    file = logs / "qemu-img" / f"{image.replace('/', '+')}.{what}"
                    file.parent.mkdir(exist_ok=True)
                    (file.with_name(f"{file.name}.json") if done.exitcode == 0 else file).write_text(
                        done.stdout + done.stderr, errors="surrogateescape"
                    )


def _list_images(work: Path) -> list[str]:
    return sorted(str(each.relative_to(work)) for each in work.rglob("*") if each.is_file() and not each.is_symlink())


def write_postmortem(logs: Path, task: Task, result: Result) -> None:
    """Write `reproduce.sh`, and after a failure the state of each VM, from the trace.

    :raise OSError: if they cannot be written.
    """
    lines = (logs / "trace.jsonl").read_text(encoding="utf-8").splitlines()
    records: list[JsonObject] = [json.loads(line) for line in lines]
    if all(map(_can_be_replayed, records)):
        script = logs / "reproduce.sh"
        crashed_program = result.failure.crashed_program if result.failure else ""
        text = make_script(records, _make_header(task, result, records), crashed_program)
        script.write_text(text, errors="surrogateescape")
        script.chmod(0o755)
    if result.failure:
        for reply in _find_last_replies(records):
            _write_state(logs, reply)


def _can_be_replayed(record: JsonObject) -> bool:
    """Tell whether a record is complete; a command line or message that was cut cannot be sent again."""
    data = record["data"]
    cut = isinstance(data, dict) and "cut" in data
    return record["kind"] != "omitted" and not (cut and record["kind"] in ("exec", "send", "take"))


def _make_header(task: Task, result: Result, records: Iterable[JsonObject]) -> ScriptHeader:
    lines = [*_describe_result(result), *_describe_qemu(records)]
    return ScriptHeader(task.point.name, lines, task.programs.paths)


def _describe_result(result: Result) -> Iterator[str]:
    failure = result.failure
    if not failure or result.outcome is Outcome.UNEXPECTED_PASS:
        yield "it passed"
        return
    yield f"{failure.diagnostic.span}: {result.outcome.reason}: {failure.diagnostic.message}"
    if failure.wanted:
        yield f"expected: {failure.wanted}"
        yield f"found:    {failure.found}"


def _describe_qemu(records: Iterable[JsonObject]) -> Iterator[str]:
    for record in records:
        data: Any = record["data"]
        if record["kind"] == "recv" and "QMP" in data:
            version = data["QMP"]["version"]
            numbers = ".".join(str(version["qemu"][part]) for part in ("major", "minor", "micro"))
            yield f"with QEMU {numbers} {version['package']}".rstrip()
            return


@dataclass(frozen=True)
class _Reply:
    """The last reply of a VM to one of the queries.

    :param asked: when it was sent, in seconds since the case began, and by whom.
    """

    vm: str
    command: str
    asked: str
    value: Any


def _find_last_replies(records: Iterable[JsonObject]) -> Sequence[_Reply]:
    asked: dict[tuple[object, object], tuple[str, str]] = {}
    replies: dict[tuple[object, str], _Reply] = {}
    by = "the case"
    for record in records:
        data: Any = record["data"]
        if record["kind"] == "fail":
            by = "the runner after the failure"
        elif record["kind"] == "send" and data.get("execute") in QUERIES:
            asked[record["vm"], data.get("id")] = (data["execute"], f"at {record['t']} s, by {by}")
        elif record["kind"] == "recv" and "return" in data and (record["vm"], data.get("id")) in asked:
            command, when = asked.pop((record["vm"], data.get("id")))
            replies[record["vm"], command] = _Reply(str(record["vm"]), command, when, data["return"])
    return tuple(replies.values())


def _write_state(logs: Path, reply: _Reply) -> None:
    for name, shown in STATE[reply.command].items():
        value = {"vm": reply.vm, "command": reply.command, "asked": reply.asked, name: shown(reply.value)}
        (logs / f"{reply.vm}.{name}.json").write_text(json.dumps(value, indent=2) + "\n")
    if reply.command == "x-debug-query-block-graph":
        (logs / f"{reply.vm}.graph.dot").write_text(_draw_graph(reply.value))


def _unchanged(value: Any) -> Any:
    return value


def _select_bitmaps(nodes: Any) -> Mapping[str, Any]:
    return {node["node-name"]: node["dirty-bitmaps"] for node in nodes if node.get("dirty-bitmaps")}


STATE: dict[str, dict[str, Callable[[Any], Any]]] = {
    "query-jobs": {"jobs": _unchanged},
    "query-block-jobs": {"block-jobs": _unchanged},
    "query-block": {"drives": _unchanged},
    "query-named-block-nodes": {"nodes": _unchanged, "bitmaps": _select_bitmaps},
    "x-debug-query-block-graph": {"graph": _unchanged},
}
SHAPES = {"block-backend": "house", "block-job": "octagon", "block-driver": "box"}


def _draw_graph(graph: Any) -> str:
    """Return a graph of block nodes in the DOT language of Graphviz. Source: QAPI, `XDbgBlockGraph`."""
    nodes = [
        f"  {each['id']} [label={json.dumps(each['name'] or each['type'])}, shape={SHAPES.get(each['type'], 'box')}]"
        for each in graph["nodes"]
    ]
    edges = [
        f"  {each['parent']} -> {each['child']}"
        f" [label={json.dumps(each['name'])}, tooltip={json.dumps(_describe_permissions(each))}]"
        for each in graph["edges"]
    ]
    return "\n".join(["digraph nodes {", *nodes, *edges, "}", ""])


def _describe_permissions(edge: Any) -> str:
    return f"takes {', '.join(edge['perm']) or 'nothing'}; shares {', '.join(edge['shared-perm']) or 'nothing'}"
