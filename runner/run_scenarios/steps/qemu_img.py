"""The verb `qemu-img`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import list_schema, parse_argv
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, run_qemu_img
from run_scenarios.steps.verb import Context, Verb

COMMANDS_THAT_KEEP_CONTENT = {"bitmap", "compare", "info", "map", "measure"}


@dataclass(frozen=True)
class QemuImg(Verb):
    """Run qemu-img with these arguments, for operations that have no verb; it must exit with status 0.

    .. code-block:: yaml

        - qemu-img: [snapshot, -c, snap0, drive0.qcow2]
        - qemu-img: [bitmap, --add, drive0.qcow2, bitmap0]
          error: {status: 1, stderr: {$contains: Bitmap already exists}}
    """

    NAME = "qemu-img"
    MUTATORS = ()
    RESULT = "`{stdout, stderr}`"
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = list_schema({"type": ["string", "integer"]})

    arguments: tuple[str, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_argv(argument))

    async def run(self, context: Context) -> JsonValue:
        done = await run_qemu_img(context, *self.arguments)
        return {"stdout": done.stdout, "stderr": done.stderr}

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        command, *rest = self.arguments
        keeps_content = command in COMMANDS_THAT_KEEP_CONTENT
        keeps_content |= command == "snapshot" and bool({"-c", "-d", "-l"} & set(rest))
        if not keeps_content:
            disks.forget_files(rest)
