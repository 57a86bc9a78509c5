"""The verb `launch`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import StepFailed, scenario_error
from run_scenarios.core.nodes import JsonObject, JsonValue, Node, to_json
from run_scenarios.qemu.programs import BARE_MACHINE
from run_scenarios.steps.argument_types import (
    FILE,
    FORMAT,
    TEXT,
    document,
    enum_schema,
    list_schema,
    object_schema,
    parse_argv,
    parse_object,
    parse_text,
)
from run_scenarios.steps.verb import Context, Verb

PROGRAMS = ("qemu", "qemu-storage-daemon")
DRIVE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": document(TEXT, "how `device` names it"),
        "file": FILE,
        "format": document(FORMAT, "the image's format"),
        "node-name": document(TEXT, "how `node` names it"),
    },
    "required": ["id", "file", "format"],
    "additionalProperties": {"type": ["string", "integer", "boolean"]},
}


def _objects(what: str) -> dict[str, Any]:
    return document(list_schema({"type": "object", "minProperties": 1}), what)


@dataclass(frozen=True)
class Launch(Verb):
    """Start a VM, by default without machine, guest CPU and firmware, so that it runs on every build of QEMU.

    `drives` become `-drive if=none,…`; `blockdev`, `objects` and `devices` are QMP's JSON, as on the command line.
    With a `machine`, its CPU does not run: QEMU gets the `qtest` accelerator where it was built with it, and is paused
    otherwise. The modifier `vm` names the VM (`vm` by default) for the steps of a scenario that launches several.

    .. code-block:: yaml

        - launch
        - launch:
            drives: [{id: drive0, file: drive0.qcow2, format: qcow2, node-name: node0}]
          vm: source
        - launch:
            machine: q35
            objects: [{qom-type: iothread, id: iothread0}]
            blockdev: [{driver: qcow2, node-name: node0, file: {driver: file, filename: drive0.qcow2}}]
            devices: [{driver: virtio-blk-pci, drive: node0, iothread: iothread0}]
          vm: destination
        - launch: {program: qemu-storage-daemon}
          vm: daemon
    """

    NAME = "launch"
    MUTATORS = ()
    FAILS_WITH = "`{status, stderr}` of a QEMU that ended before its QMP greeting"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "null"},
            object_schema(
                [],
                program=document(enum_schema(*PROGRAMS), "what to start; `qemu` by default"),
                machine=document(TEXT, "the machine type and its options, as `-machine` takes them"),
                drives=document(
                    list_schema(DRIVE), "drives without a guest device; further keys are options of `-drive`"
                ),
                objects=_objects("user-creatable objects, as `object-add` takes them"),
                blockdev=_objects("block nodes, as `blockdev-add` takes them"),
                devices=_objects("guest devices, as `device_add` takes them; they need a `machine`"),
                export=_objects("exports of qemu-storage-daemon, as `block-export-add` takes them"),
                arguments=document(list_schema({"type": ["string", "integer"]}), "further words of the command line"),
            ),
        ]
    }

    program: str
    machine: str
    options: tuple[str, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if to_json(argument) is None:
            return cls("qemu", "", ())
        program = parse_text(argument.get("program"), "qemu")
        dashes = "-" if program == "qemu" else "--"
        options: list[str] = []
        for key, option in {
            "objects": "object",
            "blockdev": "blockdev",
            "devices": "device",
        }.items():
            options += _json_options(f"{dashes}{option}", argument.get(key))
        for drive in argument.get("drives") or ():
            options += ["-drive", _drive(drive)]
        _refuse_misfits(argument, program)
        extra = argument.get("arguments")
        # The daemon takes its options in order, and an export needs the server that only `arguments` can start.
        options += [*(parse_argv(extra) if extra else ()), *_json_options("--export", argument.get("export"))]
        return cls(program, parse_text(argument.get("machine")), tuple(options))

    async def run(self, context: Context) -> JsonValue:
        from run_scenarios.qemu.machine import Machine

        name = context.vm_name
        previous = context.machines.get(name)
        if previous and previous.is_running:
            raise StepFailed(f"VM '{name}' is running already", hint="name another one with the modifier 'vm'")
        if previous:
            if previous.has_crashed:
                raise await previous.exit_error()
            await context.machines.pop(name).disconnect()
        context.describe_wait("QEMU's QMP greeting")
        daemon = self.program == "qemu-storage-daemon"
        argv = [context.programs[self.program], *([] if daemon else self._machine(context)), *self.options]
        context.machines[name] = await Machine.launch(
            name, argv, context.processes, context.trace, context.logs, daemon=daemon, allow_shell=context.pauses
        )
        return None

    def _machine(self, context: Context) -> list[str]:
        if not self.machine:
            return list(BARE_MACHINE)
        still = ["-accel", "qtest"] if "qtest" in context.programs.accelerators else ["-S"]
        return ["-machine", self.machine, *BARE_MACHINE[2:], *still]


def _json_options(option: str, nodes: Any) -> list[str]:
    return [word for node in nodes or () for word in (option, json.dumps(to_json(node)))]


def _drive(node: Node) -> str:
    """Return one drive in the words of `-drive`, where a comma in a value is doubled."""
    options: JsonObject = {"if": "none", **parse_object(node)}
    words = {True: "on", False: "off"}
    values = {key: words[value] if isinstance(value, bool) else str(value) for key, value in options.items()}
    return ",".join(f"{key}={value.replace(',', ',,')}" for key, value in values.items())


def _refuse_misfits(argument: Any, program: str) -> None:
    misfits = ("export",) if program == "qemu" else ("machine", "drives", "devices")
    for key in misfits:
        entry = argument.entry(key)
        if entry is not None:
            raise scenario_error(entry.span, f"'{key}' is nothing that {program} knows")
    devices = argument.entry("devices")
    if devices is not None and argument.get("machine") is None:
        raise scenario_error(devices.span, "guest devices need a 'machine'", "machine: q35, for instance")
