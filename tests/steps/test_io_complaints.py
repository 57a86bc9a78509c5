"""Commands of qemu-io and of the human monitor that fail: what they print, where, and that each fails its step.

Drawn from QEMU's qemu-io-cmds.c, qemu-io.c and hmp-commands.hx.
"""

from __future__ import annotations

import pytest

from tests.support.scenarios import RunSteps

EVERYWHERE = {
    "read -P 1 0 512": "Pattern verification failed",
    "read 2M 512": "read failed",
    "read -P 1 -s 0 0 512": "cannot be specified|Pattern verification|can be specified|requires",
    "readv -P 1 0 512": "Pattern verification failed",
    "readv 2M 512": "readv failed",
    "write 2M 512": "write failed",
    "write -P 300 0 512": "is not a valid pattern byte",
    "write 0": "bad argument count",
    "write x 512": "Parsing error",
    "writev 2M 512": "writev failed",
    "aio_read -P 9 0 512": "Pattern verification failed",
    "aio_read 2M 512": "readv failed",
    "aio_write 2M 512": "aio_write failed",
    "aio_write -u 0 512": "requires -z to be specified",
    "discard 2M 64k": "discard failed",
    "alloc 0 9E": "failed|exceeds|Parsing error|cannot|too large",
    "break no_such_event A": "Could not set breakpoint",
    "remove_break A": "Could not remove breakpoint",
    "resume A": "Could not resume request",
    "nosuch": 'command "nosuch" not found',
}
"""A command, and what it prints on a qcow2 image of 1 MiB without blkdebug."""


@pytest.mark.parametrize("command", EVERYWHERE)
def test_a_failure_on_a_file_fails_the_step(run_steps: RunSteps, command: str) -> None:
    run = run_steps(f"""
        - create-image: {{file: a.qcow2, size: 1M}}
        - qemu-io: {{file: a.qcow2, commands: ["{command}"]}}
    """)
    assert run.status == 1, run.stdout
    assert any(part in run.message for part in EVERYWHERE[command].split("|")), run.message


@pytest.mark.parametrize("command", EVERYWHERE)
def test_a_failure_on_a_device_fails_the_step(run_steps: RunSteps, command: str) -> None:
    run = run_steps(f"""
        - create-image: {{file: a.qcow2, size: 1M}}
        - launch: {{drives: [{{id: drive0, file: a.qcow2, format: qcow2}}]}}
        - qemu-io: {{device: drive0, commands: ["{command}", aio_flush]}}
        - shutdown
    """)
    assert run.status == 1, run.stdout
    assert any(part in run.message for part in EVERYWHERE[command].split("|")), run.message


@pytest.mark.parametrize("command", ["read -P 1 0 512", "break no_such_event A", "nosuch", "write 2M 512"])
@pytest.mark.parametrize(
    "step",
    [
        "hmp: 'qemu-io drive0 \"{}\"'",
        "qmp: {{execute: human-monitor-command, arguments: {{command-line: 'qemu-io drive0 \"{}\"'}}}}",
    ],
)
def test_a_failure_of_qemu_io_in_the_monitor_fails_the_step(run_steps: RunSteps, step: str, command: str) -> None:
    run = run_steps(f"""
        - create-image: {{file: a.qcow2, size: 1M}}
        - launch: {{drives: [{{id: drive0, file: a.qcow2, format: qcow2}}]}}
        - {step.format(command)}
    """)
    assert run.status == 1, run.stdout
    assert EVERYWHERE[command] in run.message


def test_what_qemu_io_prints_in_the_monitor_is_the_result(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2}]}
        - hmp: 'qemu-io drive0 "write -P 7 0 512"'
          expect: {$contains: wrote 512/512 bytes at offset 0}
        - qmp: {execute: human-monitor-command, arguments: {command-line: 'qemu-io drive0 "read -P 7 0 512"'}}
          expect: {$contains: read 512/512 bytes at offset 0}
    """)
    assert run.status == 0, run.stdout


@pytest.mark.parametrize(
    "line",
    [
        "block_job_cancel nosuch",
        "block_resize nosuch 1M",
        "block_stream nosuch",
        "commit nosuch",
        "device_del nosuch",
        "drive_backup nosuch x.qcow2",
        "drive_del nosuch",
        "drive_mirror nosuch x.qcow2",
        "eject nosuch",
        "info nosuch",
        "loadvm nosuch",
        "nbd_server_add nosuch",
        "nbd_server_remove nosuch",
        "object_del nosuch",
        "qemu-io nosuch length",
        "qom-get /nosuch x",
        "qom-list /nosuch",
        "savevm x",
        "snapshot_blkdev nosuch x.qcow2 qcow2",
        "snapshot_blkdev_internal nosuch x",
        "snapshot_delete_blkdev_internal nosuch x",
    ],
)
def test_a_monitor_command_that_fails_fails_its_step(run_steps: RunSteps, line: str) -> None:
    run = run_steps(f"""
        - launch
        - hmp: {line}
    """)
    assert run.status == 1, run.stdout


@pytest.mark.parametrize("end", ["- shutdown", ""])
def test_an_asynchronous_request_that_fails_later_fails_the_case(run_steps: RunSteps, end: str) -> None:
    run = run_steps(f"""
        - create-image: {{file: a.qcow2, size: 1M}}
        - launch: {{drives: [{{id: drive0, file: a.qcow2, format: qcow2}}]}}
        - qemu-io: {{device: drive0, commands: [aio_read -P 9 0 512]}}
        - qmp: query-block
        - qmp: query-block
        {end}
    """)
    assert run.status == 1, run.stdout
    assert "Pattern verification failed" in run.message
