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
    described,
    flag_of,
    image_of,
    one_of,
    record,
    size_of,
    text_of,
)
from run_scenarios.steps.mutations import ASSERTS_NOTHING
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, qemu_img
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class ResizeImage(Verb):
    """Change the virtual size of an image with `qemu-img resize`; no VM may have it open.

    .. code-block:: yaml

        - resize-image: {file: drive0.qcow2, size: 65M}
        - resize-image: {file: drive0.qcow2, size: 1M, shrink: true}
    """

    NAME = "resize-image"
    ASSERTS = ASSERTS_NOTHING
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = record(
        ["file", "size"],
        file=FILE,
        size=described(SIZE, "the new virtual size"),
        format=described(FORMAT, "its format, if the suffix does not tell it"),
        shrink=described(BOOLEAN, "allow the image to become smaller"),
        preallocation=described(one_of("off", "metadata", "falloc", "full"), "how new space is allocated"),
    )

    image: Image
    size: str
    shrink: bool
    preallocation: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(
            image_of(argument.get("file"), argument.get("format")),
            size_of(argument.get("size")).text,
            flag_of(argument.get("shrink")),
            text_of(argument.get("preallocation")),
        )

    async def run(self, context: Context) -> JsonValue:
        shrink = ["--shrink"] if self.shrink else []
        preallocation = [f"--preallocation={self.preallocation}"] if self.preallocation else []
        await qemu_img(
            context, "resize", "-q", "-f", self.image.format, *shrink, *preallocation, self.image.file, self.size
        )
        return None
