"""Run qemu-io commands: the program qemu-io on a file, or the monitor command `qemu-io` on a device of a VM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.errors import CommandFailed, scenario_error
from run_scenarios.core.exit_status import describe_status
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.nodes import JsonValue, MappingNode, ScalarNode, to_json
from run_scenarios.steps.argument_types import (
    BYTE,
    FILE,
    IMAGE_FORMAT,
    SIZE,
    TEXT,
    Image,
    Size,
    document,
    list_schema,
    object_schema,
    parse_image_file,
    parse_size,
    parse_text,
)
from run_scenarios.steps.qemu_img_runner import lock_hint
from run_scenarios.steps.qemu_io_output import find_error_line, send_qemu_io
from run_scenarios.steps.verb import Context, Verb, require_vm

IO_FAILURE = "`{output}`: the output of qemu-io"
IO_TARGET: dict[str, dict[str, Any]] = {
    "file": document(FILE, "name of the image file, which no VM may have open"),
    "format": IMAGE_FORMAT,
    "device": document(TEXT, "drive id or node name in the running VM"),
    "qdev": document(
        TEXT, "id or QOM path of a guest device in the running VM; that of a virtio disk ends in `/virtio-backend`"
    ),
}
RANGE = {"at": document(SIZE, "offset"), "size": document(SIZE, "length")}
PATTERNS = list_schema(
    object_schema(["at", "size"], byte=document(BYTE, "value of each byte; `write` uses 0xcd by default"), **RANGE)
)


@unchecked_frozen
class IoTarget:
    """What to do I/O on: an image file, or else a device of the VM, as an argument of the monitor's `qemu-io`."""

    image: Image | None
    device: str

    @property
    def is_guest_device(self) -> bool:
        """Whether it is a guest device, whose drive the content model does not know."""
        return self.device.startswith("-d ")

    def record_write(self, disks: Disks, vm: str, written: Range, byte: int, *, succeeded: bool) -> None:
        """Record a write of one byte to a range."""
        start, size = written.at.bytes, written.size.bytes
        if self.image:
            disks.write_file(self.image.file, self.image.format, start, size, byte, succeeded=succeeded)
        elif self.is_guest_device:
            disks.forget_vm(vm)
        else:
            disks.write(vm, self.device, start, size, byte, succeeded=succeeded)

    def record_discard(self, disks: Disks, vm: str, discarded: Range) -> None:
        """Record a discard of a range, successful or not."""
        start, size = discarded.at.bytes, discarded.size.bytes
        if self.image:
            disks.discard_file(self.image.file, self.image.format, start, size)
        elif self.is_guest_device:
            disks.forget_vm(vm)
        else:
            disks.discard(vm, self.device, start, size)

    def record_flush(self, disks: Disks, vm: str) -> None:
        """Record a flush that was acknowledged; qemu-io also flushes a file when it closes it."""
        if self.image:
            disks.flush_file(self.image.file)
        elif not self.is_guest_device:
            disks.flush(vm, self.device)

    def forget(self, disks: Disks, vm: str) -> None:
        """Record that the content may have changed in unknown ways."""
        if self.image:
            disks.images.forget(self.image.file)
        elif self.is_guest_device:
            disks.forget_vm(vm)
        else:
            disks.forget_device(vm, self.device)


@unchecked_frozen
class Range:
    """A range of bytes."""

    at: Size
    size: Size


@unchecked_frozen
class Pattern:
    """A range filled with one byte; if it is None, `write` uses qemu-io's default, 0xcd."""

    range: Range
    byte: int | None

    @property
    def text(self) -> str:
        """The arguments of a qemu-io command: `-P0xab 16M 256k`."""
        byte = [] if self.byte is None else [f"-P0x{self.byte:02x}"]
        return " ".join([*byte, self.range.at.text, self.range.size.text])


@dataclass(frozen=True)
class IoCommand:
    """One qemu-io command, and the text that it prints if and only if it succeeds; "" if it prints no such text."""

    text: str
    success: str = ""


def parse_target(argument: Any) -> IoTarget:
    """Return what to do I/O on; a string is a device.

    :raise ScenarioError: unless exactly one of `file`, `device` and `qdev` is given.
    """
    if isinstance(argument, ScalarNode):
        return IoTarget(None, parse_text(argument))
    assert isinstance(argument, MappingNode)
    given = [entry for entry in argument if entry.key in ("file", "device", "qdev")]
    if len(given) != 1:
        span = given[1].span if given else argument.span
        hint = "'file' for an image that no VM has open, 'device' for a drive or node of a VM"
        raise scenario_error(span, "needs exactly one of 'file', 'device' and 'qdev'", hint)
    kind, name = given[0].key, given[0].value
    if kind == "file":
        return IoTarget(parse_image_file(name, argument.get("format")), "")
    if argument.get("format") is not None:
        raise scenario_error(argument.get("format").span, "'format' requires 'file'")  # type: ignore[union-attr]
    return IoTarget(None, f"-d {parse_text(name)}" if kind == "qdev" else parse_text(name))


def parse_range(node: Any) -> Range:
    """Return `{at, size}` as a range.

    :raise ScenarioError: for an invalid size.
    """
    size = parse_size(node.get("size"))
    if size.bytes == 0:
        raise scenario_error(node.get("size").span, "an empty range: nothing would be read or written")
    return Range(parse_size(node.get("at")), size)


def parse_patterns(node: Any) -> tuple[Pattern, ...]:
    """Return a list of `{byte, at, size}`.

    :raise ScenarioError: for an invalid size.
    """
    return tuple(Pattern(parse_range(item), _parse_byte(item.get("byte"))) for item in node)


def _parse_byte(node: Any) -> int | None:
    value = None if node is None else to_json(node)
    return value if isinstance(value, int) else None


@dataclass(frozen=True)
class PatternVerb(Verb):
    """The base of `read` and `write`: qemu-io must report every byte of each pattern as done."""

    REPORT: ClassVar[str]
    """The first word of qemu-io's report of success."""

    target: IoTarget
    patterns: tuple[Pattern, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_target(argument), parse_patterns(argument.get("patterns")))

    async def run(self, context: Context) -> JsonValue:
        await run_io_commands(context, self.target, [self._make_command(pattern) for pattern in self.patterns])
        return None

    def _make_command(self, pattern: Pattern) -> IoCommand:
        at, size = pattern.range.at.bytes, pattern.range.size.bytes
        return IoCommand(f"{self.NAME} {pattern.text}", f"{self.REPORT} {size}/{size} bytes at offset {at}\n")


async def run_io_commands(context: Context, target: IoTarget, commands: list[IoCommand]) -> str:
    """Run qemu-io commands, check that each succeeds, and return their output.

    The monitor command `qemu-io` prints errors instead of returning them, so commands must report success.

    :raise CommandFailed: for the first command that did not succeed.
    """
    if target.image:
        return await _run_on_file(context, target.image, commands)
    return "".join([await _run_on_device(context, target.device, command) for command in commands])


async def _run_on_file(context: Context, image: Image, commands: list[IoCommand]) -> str:
    words = [word for command in commands for word in ("-c", command.text)]
    done = await context.run_tool("qemu-io", "-f", image.format, *words, image.file)
    output = done.stdout + done.stderr
    if done.exitcode < 0:
        reply: dict[str, object] = {"status": done.exitcode, "output": output.strip()}
        raise CommandFailed(f"qemu-io {describe_status(done.exitcode)}", reply, hint=f"ran: {done.command}")
    rest = done.stdout
    for command in filter(lambda command: command.success, commands):
        before, found, rest = rest.partition(command.success)
        if not found or find_error_line(before):
            raise _io_error(command.text, image.file, output)
    # Asynchronous requests do not change the exit status.
    is_judged_by_output = not all(command.success for command in commands)
    if done.exitcode != 0 or (is_judged_by_output and (find_error_line(output) or _has_errors(done.stderr))):
        raise _io_error("; ".join(command.text for command in commands), image.file, output)
    return done.stdout


def _has_errors(stderr: str) -> bool:
    return any("warning:" not in line for line in stderr.splitlines())


async def _run_on_device(context: Context, device: str, command: IoCommand) -> str:
    machine = require_vm(context)
    quoted = command.text.replace("\\", r"\\").replace('"', r"\"")
    line = f'qemu-io {device} "{quoted}"'
    output = await send_qemu_io(machine, line, lambda: machine.hmp(line))
    # QEMU itself may write to standard error meanwhile; the report of success outweighs that.
    failed = output.replies_error or find_error_line(output.stdout) if command.success else output.reports_error
    if failed or command.success not in output.stdout:
        raise _io_error(command.text, device.removeprefix("-d "), output.text)
    return output.stdout + output.reply


def _io_error(command: str, target: str, output: str) -> CommandFailed:
    lines = output.strip().splitlines() or ["no output"]
    unspecific = (line for line in lines if "rror" in line or "not " in line)
    reason = find_error_line(output) or next(unspecific, lines[0]).strip()
    message = f"'{command}' on {target} failed: {reason}"
    return CommandFailed(message, {"output": output.strip()}, hint=lock_hint(output))
