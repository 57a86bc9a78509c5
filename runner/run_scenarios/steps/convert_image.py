"""The verb `convert-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    IMAGE,
    IMAGE_OPTIONS,
    Image,
    document,
    object_schema,
    parse_flag,
    parse_image,
    parse_image_options,
)
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, run_qemu_img
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class ConvertImage(Verb):
    """Copy an image to a new image, possibly of another format, with `qemu-img convert`.

    .. code-block:: yaml

        - convert-image: {source: drive0.qcow2, target: drive0.raw}
        - convert-image: {source: drive0.qcow2, target: small.qcow2, compress: true, options: {cluster_size: 64k}}
    """

    NAME = "convert-image"
    MUTATORS = ()
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["source", "target"],
        source=document(IMAGE, "image to copy: a file name or `{file, format}`"),
        target=document(IMAGE, "image to create: a file name or `{file, format}`"),
        options=document(IMAGE_OPTIONS, "options of the target format, as for `qemu-img convert -o`"),
        compress=document(BOOLEAN, "compress the target"),
        bitmaps=document(BOOLEAN, "also copy persistent bitmaps"),
    )

    source: Image
    target: Image
    options: tuple[str, ...]
    flags: tuple[str, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        flags = {"compress": "-c", "bitmaps": "--bitmaps"}
        return cls(
            parse_image(argument.get("source")),
            parse_image(argument.get("target")),
            tuple(parse_image_options(argument.get("options"))),
            tuple(flag for name, flag in flags.items() if parse_flag(argument.get(name))),
        )

    async def run(self, context: Context) -> JsonValue:
        formats = ["-f", self.source.format, "-O", self.target.format]
        await run_qemu_img(
            context, "convert", "-q", *self.flags, *formats, *self.options, self.source.file, self.target.file
        )
        return None

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        if succeeded:
            disks.convert_file((self.source.file, self.source.format), (self.target.file, self.target.format))
        else:
            disks.images.forget(self.target.file)
