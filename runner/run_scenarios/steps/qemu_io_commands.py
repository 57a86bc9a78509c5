"""How the verbs read and write: qemu-io on a file, or QEMU's own `qemu-io` through the monitor."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import CommandFailed, scenario_error
from run_scenarios.core.exit_status import describe_status
from run_scenarios.core.frozen import unchecked_frozen
from run_scenarios.core.nodes import JsonValue, MappingNode, ScalarNode, to_json
from run_scenarios.steps.argument_types import (
    BYTE,
    FILE,
    FORMAT,
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
from run_scenarios.steps.verb import Context, Verb, require_vm

IO_FAILURE = "`{output}`: what qemu-io printed"
# Source: what qemu-io-cmds.c prints before it returns an error; usage errors name no failure.
ERROR_OUTPUT = re.compile(
    r"""failed|^Parsing error: |^bad argument count |^command ".*" not found$|: invalid option |is not a valid """
    r"""|can(?:not)? be specified|requires .* to be specified|not sector aligned|cannot exceed""",
    re.MULTILINE,
)
PATTERN_MISMATCH = "Pattern verification failed"
IO_TARGET: dict[str, dict[str, Any]] = {
    "file": document(FILE, "the image to open with qemu-io; no VM may have it open"),
    "format": document(FORMAT, "the format of `file`, if the suffix does not tell it"),
    "device": document(TEXT, "the drive or node of the running VM, by id or node name"),
    "qdev": document(
        TEXT, "the guest device of the running VM, by id or QOM path; a virtio disk's ends in `/virtio-backend`"
    ),
}
RANGE = {"at": document(SIZE, "where it begins"), "size": document(SIZE, "how long it is")}
PATTERNS = list_schema(
    object_schema(
        ["at", "size"], byte=document(BYTE, "the byte it is filled with; qemu-io's own 0xcd if none is given"), **RANGE
    )
)


@unchecked_frozen
class IoTarget:
    """What to do I/O on: an image file, or (`image` is None) a device of the VM in the words of the human monitor."""

    image: Image | None
    device: str


@unchecked_frozen
class Range:
    """A range of bytes."""

    at: Size
    size: Size


@unchecked_frozen
class Pattern:
    """A range filled with one byte; None stands for qemu-io's own default, 0xcd."""

    range: Range
    byte: int | None

    @property
    def text(self) -> str:
        """The pattern in qemu-io's words: `-P0xab 16M 256k`."""
        byte = [] if self.byte is None else [f"-P0x{self.byte:02x}"]
        return " ".join([*byte, self.range.at.text, self.range.size.text])


@dataclass(frozen=True)
class IoCommand:
    """One qemu-io command, and the text that it prints when, and only when, it has succeeded."""

    text: str
    success: str = ""


def parse_target(argument: Any) -> IoTarget:
    """Return what to do I/O on; a string alone is a device.

    :raise ScenarioError: unless exactly one of `file`, `device` and `qdev` is given.
    """
    if isinstance(argument, ScalarNode):
        return IoTarget(None, parse_text(argument))
    assert isinstance(argument, MappingNode)
    given = [entry for entry in argument if entry.key in ("file", "device", "qdev")]
    if len(given) != 1:
        what = "only one of" if given else "needs"
        span = given[1].span if given else argument.span
        raise scenario_error(
            span, f"{what} 'file', 'device' or 'qdev'", "'file' for an image no VM has open, 'device' for a VM's"
        )
    kind, name = given[0].key, given[0].value
    if kind == "file":
        return IoTarget(parse_image_file(name, argument.get("format")), "")
    if argument.get("format") is not None:
        raise scenario_error(argument.get("format").span, "'format' goes with 'file' only")  # type: ignore[union-attr]
    return IoTarget(None, f"-d {parse_text(name)}" if kind == "qdev" else parse_text(name))


def parse_range(node: Any) -> Range:
    """Return `{at, size}` as a range.

    :raise ScenarioError: for a size that is none.
    """
    return Range(parse_size(node.get("at")), parse_size(node.get("size")))


def parse_patterns(node: Any) -> tuple[Pattern, ...]:
    """Return a list of `{byte, at, size}`.

    :raise ScenarioError: for a size that is none.
    """
    return tuple(Pattern(parse_range(item), _byte_of(item.get("byte"))) for item in node)


def _byte_of(node: Any) -> int | None:
    value = None if node is None else to_json(node)
    return value if isinstance(value, int) else None


@dataclass(frozen=True)
class PatternVerb(Verb):
    """What `read` and `write` share: patterns that qemu-io must report as done, every byte of them."""

    DONE: ClassVar[str]
    """How qemu-io begins its report of success."""

    disk: IoTarget
    patterns: tuple[Pattern, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_target(argument), parse_patterns(argument.get("patterns")))

    async def run(self, context: Context) -> JsonValue:
        await run_io_commands(context, self.disk, [self._command(pattern) for pattern in self.patterns])
        return None

    def _command(self, pattern: Pattern) -> IoCommand:
        at, size = pattern.range.at.bytes, pattern.range.size.bytes
        return IoCommand(f"{self.NAME} {pattern.text}", f"{self.DONE} {size}/{size} bytes at offset {at}\n")


async def run_io_commands(context: Context, disk: IoTarget, commands: list[IoCommand]) -> str:
    """Run qemu-io commands, check that each reports success, and return all they printed.

    QEMU's monitor reports no failure of `qemu-io`, it prints one; so what counts is the report of success.

    :raise CommandFailed: for the first command that did not succeed.
    """
    if disk.image:
        return await _on_file(context, disk.image, commands)
    return "".join([await _on_device(context, disk.device, command) for command in commands])


async def _on_file(context: Context, image: Image, commands: list[IoCommand]) -> str:
    words = [word for command in commands for word in ("-c", command.text)]
    done = await context.run_tool("qemu-io", "-f", image.format, *words, image.file)
    if done.exitcode < 0:
        reply: dict[str, object] = {"status": done.exitcode, "output": (done.stdout + done.stderr).strip()}
        raise CommandFailed(f"qemu-io {describe_status(done.exitcode)}", reply, hint=f"ran: {done.command}")
    rest = done.stdout
    for command in filter(lambda command: command.success, commands):
        before, found, rest = rest.partition(command.success)
        if not found or PATTERN_MISMATCH in before:
            raise _failed(command, image.file, done.stdout + done.stderr)
    if done.exitcode != 0:
        raise _failed(commands[-1], image.file, done.stdout + done.stderr)
    return done.stdout


async def _on_device(context: Context, device: str, command: IoCommand) -> str:
    machine = require_vm(context)
    machine.take_output()
    text = command.text.replace("\\", r"\\").replace('"', r"\"")
    said = await machine.hmp(f'qemu-io {device} "{text}"')
    printed, complained = machine.take_output()
    failed = ERROR_OUTPUT.search(printed) or (complained and not command.success)
    if said or failed or command.success not in printed:
        raise _failed(command, device.removeprefix("-d "), said + printed + complained)
    return printed


def _failed(command: IoCommand, where: str, output: str) -> CommandFailed:
    complaints = [line for line in output.split("\n") if ERROR_OUTPUT.search(line) or "rror" in line or "not " in line]
    first = (complaints or output.strip().split("\n") or [""])[0].strip() or "nothing was printed"
    message = f"'{command.text}' on {where} did not succeed: {first}"
    return CommandFailed(message, {"output": output.strip()}, hint=lock_hint(output))
