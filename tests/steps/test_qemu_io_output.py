"""Every command of qemu-io that can fail: what it prints then, where, and that it is taken for an error."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_scenarios.core.errors import CommandFailed
from run_scenarios.qemu.machine import Machine
from run_scenarios.steps.qemu_io_output import QemuIoOutput, check_asynchronous_output, find_error_line, send_qemu_io

from tests.support.machines import use_machine
from tests.support.programs import create_image, find_program

NOT_A_NUMBER = "Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- x"
MISMATCH = "Pattern verification failed at offset 0, 512 bytes"
TOO_MANY = "bad argument count {} to {}, expected "
STDOUT, STDERR, REPLY = "stdout", "stderr", "reply"
# Source: qemu-io-cmds.c. A message that the file version prints with error_report() is in the monitor's reply.
FAILURES = [
    ("read -P 9 0 512", MISMATCH, STDOUT),
    ("read 1M 512", "read failed: Input/output error", STDOUT),
    ("read 0 x", NOT_A_NUMBER, STDOUT),
    ("read x 512", NOT_A_NUMBER, STDOUT),
    ("read 0 4G", "length cannot exceed", STDOUT),
    ("read 0", "bad argument count 1 to read, expected at least 2 arguments", STDERR),
    ("read -Q 0 512", "read: invalid option -- 'Q'", STDERR),
    ("read -P", "bad argument count 1 to read", STDERR),
    ("read -l 5 0 512", "read [-", STDOUT),
    ("read -s 500 -l 100 -P 0 0 512", "pattern verification range exceeds end of read data", STDOUT),
    ("read -P 300 0 512", "300 is not a valid pattern byte", STDOUT),
    ("read -b 1 512", "1 is not a sector-aligned value for 'offset'", STDOUT),
    ("read -b 0 5", "5 is not a sector-aligned value for 'count'", STDOUT),
    ("readv -P 9 0 512", MISMATCH, STDOUT),
    ("readv 1M 512", "readv failed: Input/output error", STDOUT),
    ("readv 0 x", NOT_A_NUMBER, STDOUT),
    ("readv 0 3G", "Argument '3G' exceeds maximum size", STDOUT),
    ("readv 0 1G 1G", "The total number of bytes exceed the maximum size", STDOUT),
    ("write 1M 512", "write failed: Input/output error", STDOUT),
    ("write 0 x", NOT_A_NUMBER, STDOUT),
    ("write -P 300 0 512", "300 is not a valid pattern byte", STDOUT),
    ("write -z -P 3 0 512", "Only one of -z, -P, and -s can be specified at the same time", STDOUT),
    ("write -b -z 0 512", "-b and -z cannot be specified at the same time", STDOUT),
    ("write -f -b 0 512", "-f and -b or -c cannot be specified at the same time", STDOUT),
    ("write -n 0 512", "-n requires -z to be specified", STDOUT),
    ("write -u 0 512", "-u requires -z to be specified", STDOUT),
    ("write 0 4G", "length cannot exceed", STDOUT),
    ("write -b 1 512", "1 is not a sector-aligned value for 'offset'", STDOUT),
    ("write -s nosuch 0 512", "nosuch: No such file or directory", STDERR),
    ("write -s empty 0 512", "empty: file is empty", STDERR),
    ("writev 1M 512", "writev failed: Input/output error", STDOUT),
    ("writev 0 x", NOT_A_NUMBER, STDOUT),
    ("aio_read -P 9 0 512", MISMATCH, STDOUT),
    ("aio_read 1M 512", "readv failed: Input/output error", STDOUT),
    ("aio_read 0 x", NOT_A_NUMBER, STDOUT),
    ("aio_write 1M 512", "aio_write failed: Input/output error", STDOUT),
    ("aio_write -z 1M 512", "aio_write failed: Input/output error", STDOUT),
    ("aio_write 0 x", NOT_A_NUMBER, STDOUT),
    ("aio_write -z 0 1k 1k", "-z supports only a single length parameter", STDOUT),
    ("aio_write -u 0 512", "-u requires -z to be specified", STDOUT),
    ("aio_discard 1M 512", "aio_discard failed: Input/output error", STDOUT),
    ("aio_flush 1", TOO_MANY.format(1, "aio_flush"), STDERR),
    ("flush 1", TOO_MANY.format(1, "flush"), STDERR),
    ("truncate x", "Parsing error: ", STDOUT),
    ("truncate -m nosuch 1M", "Invalid preallocation mode 'nosuch'", REPLY),
    ("length 1", TOO_MANY.format(1, "length"), STDERR),
    ("info 1", TOO_MANY.format(1, "info"), STDERR),
    ("discard 1M 512", "discard failed: Input/output error", STDOUT),
    ("discard 0 x", NOT_A_NUMBER, STDOUT),
    ("discard -C 0", "discard [-", STDOUT),
    ("discard 0 4G", "length cannot exceed", STDOUT),
    ("alloc x", NOT_A_NUMBER, STDOUT),
    ("map 1", TOO_MANY.format(1, "map"), STDERR),
    ("reopen -c nosuch", "Invalid cache option: nosuch", REPLY),
    ("reopen -r -w", "Only one -r/-w option may be given", REPLY),
    ("reopen -o nosuch=1", "Cannot change the option 'nosuch'", REPLY),
    ("reopen -r -o read-only=on", "Cannot set both -r/-w and 'read-only'", REPLY),
    ("break read_aio A", "Could not set breakpoint: Operation not supported", STDOUT),
    ("remove_break A", "Could not remove breakpoint A: Operation not supported", STDOUT),
    ("resume A", "Could not resume request: Operation not supported", STDOUT),
    ("wait_break", TOO_MANY.format(0, "wait_break"), STDERR),
    ("abort 1", TOO_MANY.format(1, "abort"), STDERR),
    ("sigraise x", NOT_A_NUMBER, STDOUT),
    ("sigraise 99999999999", "signal argument '99999999999' is too large to be a valid signal", STDOUT),
    ("sleep x", "x is not a valid number", STDOUT),
    ("help nosuch", "command nosuch not found", STDOUT),
    ("zone_report 0 1", "zone report failed: Operation not supported", STDOUT),
    ("zone_open 0 1", "zone open failed: Operation not supported", STDOUT),
    ("zone_close 0 1", "zone close failed: Operation not supported", STDOUT),
    ("zone_finish 0 1", "zone finish failed: Operation not supported", STDOUT),
    ("zone_reset 0 1", "zone reset failed: Operation not supported", STDOUT),
    ("zone_append 0 512", TOO_MANY.format(2, "zone_append"), STDERR),
    ("nosuch", 'command "nosuch" not found', STDERR),
]
BLKDEBUG_FAILURES = [
    ("break nosuch A", "Could not set breakpoint: No such file or directory", STDOUT),
    ("remove_break A", "Could not remove breakpoint A: No such file or directory", STDOUT),
    ("resume A", "Could not resume request: No such file or directory", STDOUT),
]
SUCCESSES = [
    "read 0 512",
    "read -v 0 64",
    "read -C 0 512",
    "read -q 0 512",
    "readv 0 512 512",
    "write -P 0x66 0 64k",
    "write -z -u 0 64k",
    "writev 0 512 512",
    "aio_read -P 0 128k 512",
    "aio_write -P 0 0 512",
    "aio_flush",
    "flush",
    "length",
    "info",
    "discard 0 64k",
    "alloc 0 1M",
    "map",
    "help",
    "help write",
    "sleep 1",
    "truncate 1M",
]
ONLY_IN_THE_PROGRAM = {"close", "open", "quit"}
EXIT_WITHOUT_ERROR = {"aio_read -P 9 0 512", "aio_read 1M 512", "aio_write 1M 512", "aio_write -z 1M 512"} | {
    "aio_discard 1M 512"
}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A directory with an image, and an empty file for the option `-s`."""
    (tmp_path / "empty").touch()
    create_image(tmp_path / "a.qcow2")
    return tmp_path


def run_program(directory: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [find_program("qemu-io"), "-f", "qcow2", "-c", command, "a.qcow2"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def known_commands(directory: Path) -> set[str]:
    """Return the commands of the qemu-io under test."""
    lines = run_program(directory, "help").stdout.splitlines()
    return {line.split()[0] for line in lines if " -- " in line}


def failures_of(known: set[str]) -> Iterator[tuple[str, str, str]]:
    yield from (each for each in FAILURES if each[0].split()[0] in {*known, "nosuch"})


def test_every_command_is_in_the_table(images: Path) -> None:
    assert known_commands(images) <= {command.split()[0] for command, _, _ in FAILURES} | ONLY_IN_THE_PROGRAM


def test_failures_on_a_file_are_errors(images: Path) -> None:
    for command, message, where in failures_of(known_commands(images)):
        done = run_program(images, command)
        printed = done.stdout if where == STDOUT else done.stderr
        assert message in printed, command
        assert done.returncode == (0 if command in EXIT_WITHOUT_ERROR else 1), command
        if command in EXIT_WITHOUT_ERROR:
            assert message in find_error_line(done.stdout), command


def test_successes_on_a_file_are_not_errors(images: Path) -> None:
    for command in SUCCESSES:
        done = run_program(images, command)
        assert done.returncode == 0, command
        assert not find_error_line(done.stdout + done.stderr), command


async def send(machine: Machine, device: str, command: str) -> QemuIoOutput:
    """Run a command on a drive, and return its output once its asynchronous requests have ended."""
    line = f'qemu-io {device} "{command}"'
    output = await send_qemu_io(machine, line, lambda: machine.hmp(line))
    deadline = asyncio.get_running_loop().time() + 20
    while (
        "aio_" in command
        and command != "aio_flush"
        and not (output.stdout or output.stderr)
        and asyncio.get_running_loop().time() < deadline
    ):
        await asyncio.sleep(0.01)
        output = QemuIoOutput(line, output.reply, *machine.take_output())
    return output


DRIVES = [
    *("-drive", "if=none,id=plain,format=qcow2,file=a.qcow2"),
    *("-drive", "if=none,id=debug,format=raw,file.driver=blkdebug,file.image.driver=null-co"),
]


def test_failures_on_a_device_are_errors(images: Path) -> None:
    known = known_commands(images)

    async def use(machine: Machine) -> None:
        for device, failures in (("plain", list(failures_of(known))), ("debug", BLKDEBUG_FAILURES)):
            for command, message, where in failures:
                output = await send(machine, device, command)
                assert message in getattr(output, where), command
                assert output.reports_error, command

    use_machine(images, DRIVES, use)


def test_successes_on_a_device_are_not_errors(images: Path) -> None:
    async def use(machine: Machine) -> None:
        for command in SUCCESSES:
            output = await send(machine, "plain", command)
            assert not output.reports_error, (command, output)
        assert not (await send(machine, "debug", "break read_aio A")).reports_error

    use_machine(images, DRIVES, use)


def test_what_an_asynchronous_request_prints_later_is_checked(images: Path) -> None:
    async def use(machine: Machine) -> None:
        for command in ("break read_aio A", "aio_read -P 9 0 512"):
            line = f'qemu-io debug "{command}"'
            assert not (await send_qemu_io(machine, line, lambda line=line: machine.hmp(line))).reports_error  # type: ignore[misc]
        check_asynchronous_output(machine)
        await machine.hmp('qemu-io debug "resume A"')
        with pytest.raises(CommandFailed, match=MISMATCH):
            while True:
                check_asynchronous_output(machine)
                await asyncio.sleep(0.01)

    use_machine(images, DRIVES, use)
