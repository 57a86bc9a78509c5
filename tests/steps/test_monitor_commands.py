"""Every command of the human monitor that can fail: what it prints then, and that it is taken for an error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from run_scenarios.core.errors import CommandFailed
from run_scenarios.qemu.machine import Machine
from run_scenarios.steps.monitor_commands import reports_error, run_monitor_command

from tests.support.machines import use_machine
from tests.support.programs import create_image

# Source: hmp-commands.hx and the handlers that it names. All of it is in the reply.
FAILURES = [
    ("balloon 1", "Error: No balloon device"),
    ("block_job_cancel nosuch", "Error: "),
    ("block_job_complete nosuch", "Error: "),
    ("block_job_pause nosuch", "Error: "),
    ("block_job_resume nosuch", "Error: "),
    ("block_job_set_speed nosuch 1", "Error: "),
    ("block_resize d x", "invalid size"),
    ("block_resize d", "invalid size"),
    ("block_resize nosuch 1M", "Error: "),
    ("block_set_io_throttle nosuch 0 0 0 0 0 0", "Error: "),
    ("block_stream nosuch", "Error: "),
    ("boot_set c", "no function defined to set boot device list"),
    ("calc_dirty_rate 0", "Incorrect period length|Error: "),
    ("change nosuch x", "Error: "),
    ("chardev-add nosuch", "Error: "),
    ("chardev-change nosuch x", "Error: "),
    ("chardev-remove nosuch", "Error: "),
    ("chardev-send-break nosuch", "Error: "),
    ("client_migrate_info nosuch x", "Error: "),
    ("closefd nosuch", "Error: "),
    ("commit nosuch", "Device 'nosuch' not found"),
    ("commit d", "'commit' error for 'd': "),
    ("cont x", "extraneous characters"),
    ("cpu 5", "invalid CPU index"),
    ("delvm", "string expected"),
    ("device_add nosuch", "Error: "),
    ("device_del nosuch", "Error: "),
    ("drive_add 0 if=nosuch", "unsupported bus type 'nosuch'"),
    ("drive_add 0 if=none,file=nosuch.raw", "Could not open 'nosuch.raw'"),
    ("drive_backup nosuch x", "Error: "),
    ("drive_backup d", "string expected"),
    ("drive_del nosuch", "Device 'nosuch' not found"),
    ("drive_mirror nosuch x", "Error: "),
    ("dump-guest-memory nosuch/x", "Error: "),
    ("eject nosuch", "Error: "),
    ("exit_preconfig", "Error: "),
    ("expire_password vnc nosuch", "Error: "),
    ("gdbserver nosuch", "gdbstub: "),
    ("getfd x", "Error: "),
    ("gpa2hpa 0", "No memory is mapped"),
    ("gpa2hva 0", "No memory is mapped"),
    ("gva2gpa 0", "No cpu"),
    ("hostfwd_add nosuch", "user mode network stack not in use"),
    ("hostfwd_remove nosuch", "user mode network stack not in use"),
    ("info nosuch", "unknown command"),
    ("info registers", "No CPU available"),
    ("info trace-events nosuch", 'unknown event "nosuch"'),
    ("loadvm nosuch", "Error: "),
    ("log nosuch", "Log items"),
    ("logfile nosuch/x", "Error opening logfile|could not open|Error: "),
    ('memsave 0 1 "nosuch/x"', "No CPU available|Error: "),
    ("migrate nosuch", "Error: "),
    ("migrate_continue nosuch", "Error: "),
    ("migrate_incoming nosuch", "Error: "),
    ("migrate_pause", "Error: "),
    ("migrate_recover nosuch", "Error: "),
    ("migrate_set_capability nosuch on", "Error: "),
    ("migrate_set_parameter nosuch 1", "Error: "),
    ("migrate_start_postcopy", "Error: "),
    ("mouse_set 99", "Mouse at index '99' not found|Error: "),
    ("nbd_server_add nosuch", "Error: "),
    ("nbd_server_remove nosuch", "Error: "),
    ("nbd_server_start nosuch", "Error: "),
    ("nbd_server_stop", "Error: "),
    ("netdev_add nosuch", "Error: "),
    ("netdev_del nosuch", "Error: "),
    ("nmi", "Error: "),
    ("object_add nosuch", "Error: "),
    ("object_del nosuch", "Error: "),
    ("one-insn-per-tb nosuch", "unexpected option nosuch"),
    ("pcie_aer_inject_error nosuch x", "id or pci device path is invalid|Error: "),
    ('pmemsave 0 1 "nosuch/x"', "Error: "),
    ("print $nosuch", "unknown register"),
    ("qemu-io nosuch length", "Error: "),
    ("qom-get / nosuch", "Error: "),
    ("qom-list /nosuch", "Error: "),
    ("qom-set / nosuch 1", "Error: "),
    ("replay_break 1", "only in play mode|Error: "),
    ("replay_delete_break", "only in play mode|Error: "),
    ("replay_seek 1", "replay must be enabled|Error: "),
    ("ringbuf_read nosuch 1", "Error: "),
    ("ringbuf_write nosuch x", "Error: "),
    ("screendump nosuch/x", "Error: "),
    ("sendkey nosuch", "invalid parameter: nosuch"),
    ("set_link nosuch on", "Error: "),
    ("set_password nosuch x", "Error: "),
    ("set_vcpu_dirty_limit 1", "Error: "),
    ("singlestep nosuch", "unexpected option nosuch"),
    ("snapshot_blkdev d", "Error: "),
    ("snapshot_blkdev_internal nosuch s", "Error: "),
    ("snapshot_delete_blkdev_internal nosuch s", "Error: "),
    ("stop x", "extraneous characters"),
    ("sum x 1", "invalid char"),
    ("system_wakeup", "Error: "),
    ("trace-event nosuch on", 'unknown event "nosuch"'),
    ("watchdog_action nosuch", "Error: "),
    ("wavcapture x nosuch", "udiodev 'nosuch' not found|Error: "),
    ("x /1x 0", "Can not dump without CPU"),
    ("x_colo_lost_heartbeat", "Error: "),
    ("xp /1x 0", "Cannot access memory|Error: "),
    ("xen-event-inject 1", "Error: "),
    ("xen-event-list", "Error: "),
    ("nosuch", "unknown command: 'nosuch'"),
]
CANNOT_FAIL = {
    *("announce_self", "cancel_vcpu_dirty_limit", "clear", "dumpdtb", "help", "i", "info", "mce", "migrate_cancel"),
    *("mouse_button", "mouse_move", "o", "quit", "stopcapture", "sync-profile", "system_powerdown", "system_reset"),
    "savevm",
}
"""Commands without an error message, or with none in a VM that has a drive and no machine."""
SUCCESSES = [
    *("block_resize d 2M", "savevm s", "info snapshots", "loadvm s", "delvm s", "stop", "cont", "log none", "log help"),
    *("device_add help", "object_add secret,id=s0,data=abcdefgh", "object_del s0", "object_add help"),
    *("nbd_server_start unix:nbd.sock", "nbd_server_add -w d", "nbd_server_remove d", "nbd_server_stop"),
    *("block_set_io_throttle d 0 0 0 0 0 0", "snapshot_blkdev_internal d s", "snapshot_delete_blkdev_internal d s"),
    *("chardev-add ringbuf,id=r0,size=16", "ringbuf_write r0 x", "ringbuf_read r0 1", "chardev-remove r0"),
    *("drive_add 0 if=none,id=z,file=a.raw,format=raw", "drive_del z", "print 1", "sum 0 1"),
    *("migrate_set_capability events on", "migrate_set_parameter max-bandwidth 1", "system_reset", "qom-list /"),
    *("qom-get /machine type", "qom-set /machine dumpdtb x", "info block", "info qtree", "info version"),
    *("migrate_cancel", "sync-profile", "help", "drive_backup d new.qcow2 qcow2"),
]
DRIVE = ["-drive", "if=none,id=d,format=qcow2,file=a.qcow2"]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A directory with images."""
    for name in ("a.qcow2", "a.raw"):
        create_image(tmp_path / name)
    return tmp_path


async def list_commands(machine: Machine) -> set[str]:
    """Return the commands of the human monitor that the QEMU under test has."""
    lines = (await machine.hmp("help")).splitlines()
    return {re.split(r"[| ]", line)[0] for line in lines if re.match(r"[a-z].* -- ", line)}


def test_every_command_is_in_the_table(images: Path) -> None:
    async def use(machine: Machine) -> None:
        assert await list_commands(machine) <= {line.split()[0] for line, _ in FAILURES} | CANNOT_FAIL

    use_machine(images, DRIVE, use)


def test_failures_are_errors(images: Path) -> None:
    async def use(machine: Machine) -> None:
        known = {*await list_commands(machine), "nosuch"}
        for line, message in FAILURES:
            if line.split()[0] in known:
                output = await machine.hmp(line)
                assert re.search(message, output), (line, output)
                with pytest.raises(CommandFailed, match=re.escape(f"'{line}' failed: ")):
                    await run_monitor_command(machine, line)

    use_machine(images, DRIVE, use)


def test_successes_are_not_errors(images: Path) -> None:
    async def use(machine: Machine) -> None:
        for line in SUCCESSES:
            await run_monitor_command(machine, line)

    use_machine(images, DRIVE, use)


def test_a_warning_is_not_an_error() -> None:
    assert not reports_error("stopcapture 0", "warning: 'stopcapture' is deprecated\n")
    assert reports_error("stopcapture 0", "warning: 'stopcapture' is deprecated\nsomething else\n")
