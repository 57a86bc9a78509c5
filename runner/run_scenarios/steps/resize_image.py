"""The verb `resize-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    FILE,
    IMAGE_FORMAT,
    SIZE,
    Image,
    Size,
    document,
    enum_schema,
    object_schema,
    parse_flag,
    parse_image,
    parse_size,
    parse_text,
)
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, run_qemu_img
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class ResizeImage(Verb):
    """Change the virtual size of an image, which no VM may have open, with `qemu-img resize`.

    .. code-block:: yaml

        - resize-image: {file: drive0.qcow2, size: 65M}
        - resize-image: {file: drive0.qcow2, size: 1M, shrink: true}
    """

    NAME = "resize-image"
    MUTATORS = ()
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["file", "size"],
        file=FILE,
        size=document(SIZE, "new virtual size"),
        format=IMAGE_FORMAT,
        shrink=document(BOOLEAN, "allow shrinking the image"),
        preallocation=document(
            enum_schema("off", "metadata", "falloc", "full"), "preallocation mode of the added space"
        ),
    )

    image: Image
    size: Size
    shrink: bool
    preallocation: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(
            parse_image(argument),
            parse_size(argument.get("size")),
            parse_flag(argument.get("shrink")),
            parse_text(argument.get("preallocation")),
        )

    async def run(self, context: Context) -> JsonValue:
        shrink = ["--shrink"] if self.shrink else []
        preallocation = [f"--preallocation={self.preallocation}"] if self.preallocation else []
        await run_qemu_img(
            context, "resize", "-q", "-f", self.image.format, *shrink, *preallocation, self.image.file, self.size.text
        )
        return None

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        disks.images.resize(self.image.file, self.size.bytes, succeeded=succeeded)
        disks.flush_file(self.image.file)
