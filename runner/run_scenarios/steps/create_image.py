"""The verb `create-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import (
    FILE,
    FORMAT,
    IMAGE,
    OPTIONS,
    SIZE,
    Image,
    described,
    image_of,
    options_of,
    read_image,
    record,
    size_of,
)
from run_scenarios.steps.mutations import ASSERTS_NOTHING
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, qemu_img
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
    ASSERTS = ASSERTS_NOTHING
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = record(
        ["file"],
        file=FILE,
        size=described(SIZE, "its virtual size"),
        format=described(FORMAT, "its format, if the suffix does not tell it"),
        backing=described(IMAGE, "its backing file, by name or as `{file, format}`"),
        options=described(OPTIONS, "options of the format, as `qemu-img create -o` takes them"),
    )

    image: Image
    size: str
    backing: Image | None
    options: tuple[str, ...]

    @classmethod
    def parse(cls, argument: Any) -> Self:
        image = image_of(argument.get("file"), argument.get("format"))
        size, backing = argument.get("size"), argument.get("backing")
        return cls(
            image,
            size_of(size).text if size else "",
            read_image(backing) if backing else None,
            tuple(options_of(argument.get("options"))),
        )

    async def run(self, context: Context) -> JsonValue:
        size = [self.size] if self.size else []
        backing = ["-b", self.backing.file, "-F", self.backing.format] if self.backing else []
        await qemu_img(
            context, "create", "-q", "-f", self.image.format, *self.options, *backing, self.image.file, *size
        )
        return None
