"""The verb `launch`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.errors import StepFailed, scenario_error
from run_scenarios.core.nodes import JsonObject, JsonValue, to_json
from run_scenarios.qemu.programs import BARE_MACHINE
from run_scenarios.steps.argument_types import (
    ARGUMENTS,
    FILE,
    FORMAT,
    TEXT,
    document,
    enum_schema,
    format_options,
    list_schema,
    object_schema,
    parse_argv,
    parse_object,
    parse_text,
)
from run_scenarios.steps.qemu_io_output import check_asynchronous_output
from run_scenarios.steps.verb import Context, Verb

PROGRAMS = ("qemu", "qemu-storage-daemon")
DRIVE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": document(TEXT, "id of the drive, which `device` refers to"),
        "file": FILE,
        "format": document(FORMAT, "image format"),
        "node-name": document(TEXT, "name of the block node, which `node` refers to"),
    },
    "required": ["id", "file", "format"],
    "additionalProperties": {"type": ["string", "integer", "boolean"]},
}


def _list_of_objects(description: str) -> dict[str, Any]:
    return document(list_schema({"type": "object", "minProperties": 1}), description)


@dataclass(frozen=True)
class Launch(Verb):
    """Start a VM, by default without a machine, guest CPU and firmware, so that it works with every build of QEMU.

    `drives` become `-drive if=none,…`; `objects`, `blockdev` and `devices` are passed as JSON. With a `machine`, the
    guest CPU does not run: QEMU uses the accelerator `qtest` if it was built with it, and is paused otherwise. The
    modifier `vm` names the VM, for scenarios that launch several.

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
    FAILS_WITH = "`{status, stderr}` of a QEMU that exited before its QMP greeting"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "null"},
            object_schema(
                [],
                program=document(enum_schema(*PROGRAMS), "program to start; `qemu` by default"),
                machine=document(TEXT, "machine type and its options, as for `-machine`"),
                drives=document(
                    list_schema(DRIVE), "drives without a guest device; other keys are options of `-drive`"
                ),
                objects=_list_of_objects("user-creatable objects, as for `object-add`"),
                blockdev=_list_of_objects("block nodes, as for `blockdev-add`"),
                devices=_list_of_objects("guest devices, as for `device_add`; they need a `machine`"),
                export=_list_of_objects("exports of qemu-storage-daemon, as for `block-export-add`"),
                arguments=document(ARGUMENTS, "other command line arguments"),
            ),
        ]
    }

    program: str
    machine: str
    options: tuple[str, ...]
    drives: tuple[JsonObject, ...] = ()
    blockdev: tuple[JsonObject, ...] = ()
    other: tuple[str, ...] = ()
    """The arguments in which the content model does not look for nodes."""

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if to_json(argument) is None:
            return cls("qemu", "", ())
        program = parse_text(argument.get("program"), "qemu")
        dashes = "-" if program == "qemu" else "--"
        options: list[str] = []
        for key, option in {"objects": "object", "blockdev": "blockdev", "devices": "device"}.items():
            options += _format_json_options(f"{dashes}{option}", argument.get(key))
        for drive in argument.get("drives") or ():
            options += ["-drive", format_options({"if": "none", **parse_object(drive)})]
        _refuse_unsupported_keys(argument, program)
        # The daemon processes its options in order, and an export needs the server that only `arguments` can start.
        options += parse_argv(argument.get("arguments"))
        options += _format_json_options("--export", argument.get("export"))
        return cls(
            program,
            parse_text(argument.get("machine")),
            tuple(options),
            tuple(map(parse_object, argument.get("drives") or ())),
            tuple(map(parse_object, argument.get("blockdev") or ())),
            tuple(map(str, (*parse_argv(argument.get("arguments")), *map(to_json, argument.get("export") or ())))),
        )

    async def run(self, context: Context) -> JsonValue:
        from run_scenarios.qemu.machine import Machine

        name = context.vm_name
        previous = context.machines.get(name)
        if previous and previous.is_running:
            raise StepFailed(f"VM '{name}' is already running", hint="choose another name with the modifier 'vm'")
        if previous:
            if previous.has_crashed:
                raise await previous.exit_error()
            check_asynchronous_output(previous)
            await context.machines.pop(name).disconnect()
        context.describe_wait("QEMU's QMP greeting")
        daemon = self.program == "qemu-storage-daemon"
        argv = [context.programs[self.program], *([] if daemon else self._machine_options(context)), *self.options]
        context.machines[name] = await Machine.launch(
            name,
            argv,
            context.processes,
            context.trace,
            context.logs,
            daemon=daemon,
            monitor_objects=self.program in context.programs.monitor_objects,
            allow_shell=context.pauses,
        )
        return None

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        if succeeded:
            disks.launch(vm, self.drives, self.blockdev, self.other)

    def _machine_options(self, context: Context) -> list[str]:
        if not self.machine:
            return list(BARE_MACHINE)
        no_cpu = ["-accel", "qtest"] if "qtest" in context.programs.accelerators else ["-S"]
        return ["-machine", self.machine, *BARE_MACHINE[2:], *no_cpu]


def _format_json_options(option: str, nodes: Any) -> list[str]:
    return [word for node in nodes or () for word in (option, json.dumps(to_json(node)))]


def _refuse_unsupported_keys(argument: Any, program: str) -> None:
    unsupported = ("export",) if program == "qemu" else ("machine", "drives", "devices")
    for key in unsupported:
        entry = argument.entry(key)
        if entry is not None:
            raise scenario_error(entry.span, f"{program} does not support '{key}'")
    devices = argument.entry("devices")
    if devices is not None and argument.get("machine") is None:
        raise scenario_error(devices.span, "guest devices need a 'machine'", "for example 'machine: q35'")
