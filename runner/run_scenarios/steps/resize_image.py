"""The verb `resize-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    FILE,
    FORMAT,
    SIZE,
    Image,
    document,
    enum_schema,
    object_schema,
    parse_flag,
    parse_image_file,
    parse_size,
    parse_text,
)
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, run_qemu_img
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class ResizeImage(Verb):
    """Change the virtual size of an image with `qemu-img resize`; no VM may have it open.

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
        size=document(SIZE, "the new virtual size"),
        format=document(FORMAT, "its format, if the suffix does not tell it"),
        shrink=document(BOOLEAN, "allow the image to become smaller"),
        preallocation=document(enum_schema("off", "metadata", "falloc", "full"), "how new space is allocated"),
    )

    image: Image
    size: str
    shrink: bool
    preallocation: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(
            parse_image_file(argument.get("file"), argument.get("format")),
            parse_size(argument.get("size")).text,
            parse_flag(argument.get("shrink")),
            parse_text(argument.get("preallocation")),
        )

    async def run(self, context: Context) -> JsonValue:
        shrink = ["--shrink"] if self.shrink else []
        preallocation = [f"--preallocation={self.preallocation}"] if self.preallocation else []
        await run_qemu_img(
            context, "resize", "-q", "-f", self.image.format, *shrink, *preallocation, self.image.file, self.size
        )
        return None
