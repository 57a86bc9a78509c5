"""The verb `rebase-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.nodes import JsonValue, to_json
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    FILE,
    IMAGE,
    IMAGE_FORMAT,
    Image,
    document,
    object_schema,
    parse_flag,
    parse_image,
)
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, run_qemu_img
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class RebaseImage(Verb):
    """Change the backing file of an image with `qemu-img rebase`; `backing: null` removes it.

    With `unsafe`, only the name of the backing file changes. Without it, the content that a guest sees is preserved.

    .. code-block:: yaml

        - rebase-image: {file: inc0.qcow2, backing: full.qcow2, unsafe: true}
        - rebase-image: {file: inc0.qcow2, backing: null}
    """

    NAME = "rebase-image"
    MUTATORS = ()
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["file", "backing"],
        file=FILE,
        format=IMAGE_FORMAT,
        backing={
            "anyOf": [*IMAGE["anyOf"], {"type": "null"}],
            "description": "new backing file: a file name or `{file, format}`; null for none",
        },
        unsafe=document(BOOLEAN, "change the name of the backing file only"),
    )

    image: Image
    backing: Image | None
    unsafe: bool

    @classmethod
    def parse(cls, argument: Any) -> Self:
        backing = argument.get("backing")
        return cls(
            parse_image(argument),
            None if to_json(backing) is None else parse_image(backing),
            parse_flag(argument.get("unsafe")),
        )

    async def run(self, context: Context) -> JsonValue:
        unsafe = ["-u"] if self.unsafe else []
        backing = ["-b", self.backing.file, "-F", self.backing.format] if self.backing else ["-b", ""]
        await run_qemu_img(context, "rebase", "-q", "-f", self.image.format, *unsafe, *backing, self.image.file)
        return None

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        backing = self.backing.file if self.backing else None
        if not succeeded:
            disks.images.forget(self.image.file)
        elif self.unsafe:
            disks.images.set_backing(self.image.file, backing)
        else:
            disks.images.rebase(self.image.file, backing)
