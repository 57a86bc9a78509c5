"""What a scenario may reach, proved on everything that the QEMU under test says of itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_scenarios.core.nodes import JsonObject, JsonValue, from_json
from run_scenarios.core.source import Source, Span
from run_scenarios.qemu.guardian import Guardian
from run_scenarios.qemu.programs import TOOLS, Programs, find_programs
from run_scenarios.qmp.introspection import introspect
from run_scenarios.qmp.schema import QmpSchema
from run_scenarios.qmp.types import Alternate, Array, Builtin, Enum, Object
from run_scenarios.scenario.confinement import check_offered_command, find_escapes, find_outside_link
from run_scenarios.scenario.confinement.monitor import MONITOR
from run_scenarios.scenario.confinement.qmp import OUTSIDE_COMMANDS
from run_scenarios.scenario.confinement.values import BLOCK_DRIVERS, HOST_DEVICE, OBJECTS

from tests.support.scenarios import RunSteps

NOWHERE = Span(Source("case.yaml", ""), 1, 1)
OUTSIDE = (
    "/etc/passwd",
    "../x",
    "a/../../x",
    'json:{"driver":"nbd","host":"h"}',
    'json:{"driver":"raw","file":{"driver":"file","filename":"/etc/passwd"}}',
    "blkdebug:conf:/etc/passwd",
    "nbd://h/x",
    "exec:id",
    "fat:rw:/etc",
    "tcp:h:1",
)
INSIDE = (
    "a.qcow2",
    "a/b",
    "./nbd:a",
    "unix:a.sock",
    "nbd:unix:a.sock:exportname=/x",
    "nbd+unix:///e?socket=a.sock",
    "file:a",
)
# Slots whose text QEMU looks up among its own: by the name of the slot, wherever it stands.
HARMLESS = {"bitmap", "bus", "export", "id", "name", "node-name", "property", "typename", "x-dirty-bitmap"}
HARMLESS |= {"bitmaps", "description", "desc", "devices", "job-id", "node", "qdev", "snapshot", "tag", "vmstate"}
PATH_LIKE = {"filename", "file", "path", "target", "uri", "url", "dir", "mountpoint", "mem-path", "smb", "evdev"}
OBJECT_PATH = {
    "qom-get",
    "qom-set",
    "qom-list",
    "x-query-virtio-status",
    "x-query-virtio-queue-status",
    "x-query-virtio-vhost-queue-status",
    "x-query-virtio-queue-element",
}
Slot = tuple[str | int, ...]


@pytest.fixture(scope="module", params=["qemu", "qemu-storage-daemon"])
def schema(request: pytest.FixtureRequest) -> QmpSchema:
    """What a program of the QEMU under test speaks."""
    guardian = Guardian.start()
    try:
        return asyncio.run(introspect(programs(), guardian, request.param))
    finally:
        guardian.stop()


def programs() -> Programs:
    """Return the programs under test."""
    return find_programs(dict.fromkeys(TOOLS), os.environ)


def slots(schema: QmpSchema, type_: str, path: Slot = (), below: tuple[str, ...] = ()) -> Iterator[tuple[Slot, str]]:
    """Yield every place for a string in a type, and for a value of an enumeration, each type once on a way down."""
    match schema.types[type_]:
        case Builtin() as kind if kind.json in ("string", "value"):
            yield path, type_
        case Enum():
            yield path, type_
        case Array() as kind:
            yield from slots(schema, kind.element, (*path, 0), below)
        case Alternate() as kind:
            for each in kind.types:
                yield from slots(schema, each, path, below)
        case Object() as kind if type_ not in below:
            for name, member in kind.members.items():
                yield from slots(schema, member.type, (*path, name), (*below, type_))
            for each in (kind.variants or {}).values():
                yield from slots(schema, each, path, (*below, type_))


def strings(schema: QmpSchema, command: str) -> dict[Slot, None]:
    """Return every place in a command's arguments where QEMU takes any string at all."""
    found = slots(schema, schema.commands[command].arguments)
    return dict.fromkeys(path for path, type_ in found if isinstance(schema.types[type_], Builtin))


def message(command: str, slot: Slot, value: JsonValue) -> JsonObject:
    """Return a command with a value in one place and nothing elsewhere."""
    for part in reversed(slot):
        value = [value] if part == 0 else {str(part): value}
    return {"execute": command, "arguments": value}


def refused(command: str, slot: Slot, value: JsonValue) -> bool:
    """Tell whether the step that sends a command is refused."""
    return bool(find_escapes("qmp", from_json(message(command, slot, value), NOWHERE)))


def is_harmless(command: str, slot: Slot) -> bool:
    """Tell whether what stands in a place can be no name of a file."""
    name = next(part for part in reversed(slot) if isinstance(part, str))
    is_bitmap = name == "target" and command == "block-dirty-bitmap-merge"
    return name in HARMLESS or is_bitmap or (name == "path" and command in OBJECT_PATH)


def test_a_name_from_outside_is_refused_in_every_slot_for_a_string(schema: QmpSchema) -> None:
    places = [(command, slot) for command in schema.commands for slot in strings(schema, command) if slot]
    assert len(places) >= 200
    for command, slot in places:
        wrong = [name for name in OUTSIDE if refused(command, slot, name) == is_harmless(command, slot)]
        assert not wrong or OUTSIDE_COMMANDS.fullmatch(command), f"{command} {slot}: {wrong}"


def test_every_command_is_known_to_stay_inside_or_refused(schema: QmpSchema) -> None:
    """A new one in a new QEMU is refused until its effects have been looked at."""
    for command in schema.commands:
        assert not list(check_offered_command(command, NOWHERE)), command
    assert list(check_offered_command("x-new-command", NOWHERE))


def test_only_paths_of_objects_and_a_bitmap_are_called_like_a_file(schema: QmpSchema) -> None:
    every = {(command, slot) for command in schema.commands for slot in strings(schema, command)}
    like = {(command, slot[-1]) for command, slot in every if slot and slot[-1] in PATH_LIKE}
    assert like
    harmless = {command for command, name in like if is_harmless(command, (name,))}
    assert harmless <= OBJECT_PATH | {"block-dirty-bitmap-merge"}


def test_a_name_from_inside_is_let_through(schema: QmpSchema) -> None:
    for slot in (("target",), ("snapshot-file",), ("file", "filename"), ("file", "server", "path")):
        assert not any(refused("blockdev-add", slot, name) for name in INSIDE)


def test_every_block_driver_and_object_is_known_to_stay_inside_or_refused(schema: QmpSchema) -> None:
    """A new one in a new QEMU is refused until somebody has looked at it."""
    decided = {
        "blockdev-add": ("driver", BLOCK_DRIVERS, OUTSIDE_DRIVERS),
        "object-add": ("qom-type", OBJECTS, OUTSIDE_OBJECTS),
    }
    for command, (key, inside, outside) in decided.items():
        for slot, type_ in slots(schema, schema.commands[command].arguments):
            kind = schema.types[type_]
            if slot[-1:] == (key,) and isinstance(kind, Enum):
                assert set(kind.values) <= inside | outside, set(kind.values) - inside - outside
                assert {name for name in kind.values if refused(command, slot, name)} == set(kind.values) & outside


OUTSIDE_DRIVERS = {
    "ftp",
    "ftps",
    "gluster",
    "host_cdrom",
    "host_device",
    "http",
    "https",
    "iscsi",
    "nfs",
    "nvme",
    "rbd",
}
OUTSIDE_DRIVERS |= {"ssh", "vvfat", "io_uring", "nvme-io_uring", "virtio-blk-vfio-pci", "virtio-blk-vhost-user"}
OUTSIDE_DRIVERS |= {"virtio-blk-vhost-vdpa"}
OUTSIDE_OBJECTS = {"authz-pam", "can-host-socketcan", "cryptodev-backend-lkcf", "cryptodev-vhost-user", "dbus-vmstate"}
OUTSIDE_OBJECTS |= {"input-barrier", "input-linux", "iommufd", "memory-backend-epc", "pef-guest", "qtest", "rng-egd"}
OUTSIDE_OBJECTS |= {"rng-random", "s390-pv-guest", "secret_keyring", "sev-guest", "sev-snp-guest", "x-remote-object"}
OUTSIDE_OBJECTS |= {"monitor-hmp", "monitor-qmp", "tdx-guest", "x-vfio-user-server"}


def test_every_address_but_a_socket_in_the_directory_is_refused(schema: QmpSchema) -> None:
    for slot, type_ in slots(schema, schema.commands["nbd-server-start"].arguments):
        kind = schema.types[type_]
        if slot == ("addr", "type") and isinstance(kind, Enum):
            assert {name for name in kind.values if not refused("nbd-server-start", slot, name)} == {"unix"}
            return
    raise AssertionError("nbd-server-start takes no address")


@pytest.mark.parametrize("name", ["scsi-hd", "virtio-blk-pci", "virtio-scsi-pci", "nvme", "usb-storage"])
def test_the_devices_that_disks_need_are_let_through(name: str) -> None:
    assert not HOST_DEVICE.search(name)
    assert not refused("device_add", ("driver",), name)


def test_every_monitor_command_that_is_let_through_is_one() -> None:
    assert {"info", "qemu-io", "savevm"} <= MONITOR.keys()
    assert not {"migrate", "pmemsave", "chardev-add", "netdev_add", "gdbserver", "logfile"} & MONITOR.keys()


def test_a_link_out_of_the_directory_is_found(tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "deep").mkdir(parents=True)
    (work / "deep" / "inside").symlink_to("../a.raw")
    assert find_outside_link(work) == ""
    (work / "deep" / "outside").symlink_to("../../x")
    assert find_outside_link(work) == "deep/outside"


def test_a_link_made_by_a_tool_stops_the_case(
    run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, secret = tmp_path / "qemu-img", tmp_path / "secret.raw"
    secret.write_bytes(b"s" * 512)
    tool.write_text(f"#!/bin/sh\nln -s {secret} a.raw\n")
    tool.chmod(0o755)
    monkeypatch.setenv("QEMU_IMG_PROG", str(tool))
    run = run_steps("""
        - qemu-img: [create, a.raw, 512]
        - assert: "{{ 1 == 1 }}"
        - read: {file: a.raw, patterns: [{byte: 0x73, at: 0, size: 512}]}
    """)
    assert run.status == 1
    assert run.message == "step 3 (read): 'a.raw' is a link out of the case's directory"


def test_a_value_known_only_at_run_time_is_checked_then(run_steps: RunSteps, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    run = run_steps(f"""
        - launch
        - qmp: {{execute: qom-get, arguments: {{path: /machine, property: type}}}}
          save: type
        - qmp:
            execute: dump-guest-memory
            arguments: {{paging: false, protocol: "{{{{ 'file:{secret}' if type else 1 }}}}"}}
    """)
    assert run.status == 2, run.stdout
    assert run.message == f"step 3 (qmp): '{secret}' is an absolute path"
    assert not secret.exists()


def test_only_the_user_lets_a_file_out(run_steps: RunSteps, tmp_path: Path) -> None:
    image = tmp_path / "outside.raw"
    steps = f"- create-image: {{file: {image}, size: 512}}"
    run = run_steps(steps, head="allow-outside-paths: true")
    assert (run.status, image.exists()) == (2, False)
    assert "if you trust the file, run with --allow-outside" in run.stderr
    assert run_steps(steps, "--allow-outside").status == 2
    assert not image.exists()
    assert run_steps(steps, "--allow-outside", head="allow-outside-paths: true").status == 0
    assert image.exists()


def test_the_name_of_a_vm_is_no_path(run_steps: RunSteps, tmp_path: Path) -> None:
    run = run_steps(f"""
        - vm: ../../../../../../../../{tmp_path}/evil
          launch:
    """)
    assert run.status == 2
    assert not list(tmp_path.glob("evil*"))


def test_a_file_cannot_borrow_the_trust_of_one_that_it_imports(run_command: RunSteps, tmp_path: Path) -> None:
    (tmp_path / "library.yaml").write_text("""\
allow-outside-paths: true
procedures:
  make:
    parameters: {where: string}
    steps:
      - create-image: {file: "{{ where }}", format: raw, size: 512}
""")
    image = tmp_path / "made"
    scenario = f"import: [library.yaml]\nsteps:\n  - call: make\n    with: {{where: {image}}}\n"
    (tmp_path / "borrows.yaml").write_text(f"scenario: borrows\n{scenario}")
    (tmp_path / "says-so.yaml").write_text(f"scenario: says so\nallow-outside-paths: true\n{scenario}")
    run = run_command("--allow-outside", "borrows.yaml")
    assert (run.status, image.exists()) == (2, False)
    assert "'library.yaml' may leave the case's directory" in run.stderr
    assert run_command("--allow-outside", "says-so.yaml").status == 0
    assert image.exists()


def test_the_temporary_file_of_a_snapshot_is_in_the_directory(
    run_steps: RunSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is can be seen while QEMU has it open: the file itself is deleted at once."""
    qemu = programs()["qemu"]
    spy = tmp_path / "qemu"
    spy.write_text(f"""#!/bin/sh
(while sleep 0.02; do readlink /proc/$$/fd/* >>{tmp_path}/open 2>/dev/null || break; done) </dev/null >/dev/null 2>&1 &
exec {qemu} "$@"
""")
    spy.chmod(0o755)
    monkeypatch.setenv("QEMU_PROG", str(spy))
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - launch: {drives: [{id: d, file: a.qcow2, format: qcow2, snapshot: true}]}
        - qemu-io: {device: d, commands: [sleep 300]}
        - shutdown
    """)
    assert run.status == 0, run.stdout + run.stderr
    opened = {line for line in (tmp_path / "open").read_text().splitlines() if "vl." in line}
    assert opened
    assert all(line.startswith(str(tmp_path / "test-dir")) for line in opened), opened
