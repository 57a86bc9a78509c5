"""The verb `commit-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue, MappingNode
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    FILE,
    FORMAT,
    Image,
    document,
    object_schema,
    parse_file,
    parse_flag,
    parse_image_file,
)
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, run_qemu_img
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class CommitImage(Verb):
    """Commit an image into its backing file, or into `base`, with `qemu-img commit`; no VM may have it open.

    .. code-block:: yaml

        - commit-image: inc0.qcow2
        - commit-image: {file: inc1.qcow2, base: full.qcow2}
    """

    NAME = "commit-image"
    MUTATORS = ()
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            FILE,
            object_schema(
                ["file"],
                file=FILE,
                format=document(FORMAT, "its format, if the suffix does not tell it"),
                base=document(FILE, "the image of its backing chain to commit into"),
                keep=document(BOOLEAN, "do not empty the image afterwards"),
            ),
        ]
    }

    image: Image
    base: str
    keep: bool

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if not isinstance(argument, MappingNode):
            return cls(parse_image_file(argument, None), "", False)
        base = argument.get("base")
        image = parse_image_file(argument.get("file"), argument.get("format"))
        return cls(image, parse_file(base) if base else "", parse_flag(argument.get("keep")))

    async def run(self, context: Context) -> JsonValue:
        base = ["-b", self.base] if self.base else []
        keep = ["-d"] if self.keep else []
        await run_qemu_img(context, "commit", "-q", "-f", self.image.format, *keep, *base, self.image.file)
        return None
