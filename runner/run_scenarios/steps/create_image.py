"""The verb `create-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import (
    FILE,
    IMAGE,
    IMAGE_FORMAT,
    IMAGE_OPTIONS,
    SIZE,
    Image,
    Size,
    document,
    object_schema,
    parse_image,
    parse_image_options,
    parse_size,
)
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, run_qemu_img
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class CreateImage(Verb):
    """Create an image with `qemu-img create`.

    Without `size`, the image is as large as its backing file.

    .. code-block:: yaml

        - create-image: {file: drive0.qcow2, size: 64M}
        - create-image: {file: inc0.qcow2, size: 64M, backing: drive0.qcow2, options: {cluster_size: 128k}}
    """

    NAME = "create-image"
    MUTATORS = ()
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["file"],
        file=FILE,
        size=document(SIZE, "virtual size"),
        format=IMAGE_FORMAT,
        backing=document(IMAGE, "backing file: a file name or `{file, format}`"),
        options=document(IMAGE_OPTIONS, "options of the format, as for `qemu-img create -o`"),
    )

    image: Image
    size: Size | None
    backing: Image | None
    options: tuple[str, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        image = parse_image(argument)
        size, backing = argument.get("size"), argument.get("backing")
        return cls(
            image,
            parse_size(size) if size else None,
            parse_image(backing) if backing else None,
            tuple(parse_image_options(argument.get("options"))),
        )

    async def run(self, context: Context) -> JsonValue:
        size = [self.size.text] if self.size else []
        backing = ["-b", self.backing.file, "-F", self.backing.format] if self.backing else []
        await run_qemu_img(
            context, "create", "-q", "-f", self.image.format, *self.options, *backing, self.image.file, *size
        )
        return None

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        if succeeded and not any("backing" in option for option in self.options):
            backing = self.backing.file if self.backing else None
            disks.images.create(self.image.file, self.image.format, self.size.bytes if self.size else None, backing)
        else:
            disks.images.forget(self.image.file)
