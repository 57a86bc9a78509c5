"""The verb `rebase-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue, to_json
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    FILE,
    FORMAT,
    IMAGE,
    Image,
    document,
    object_schema,
    parse_flag,
    parse_image,
    parse_image_file,
)
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, run_qemu_img
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class RebaseImage(Verb):
    """Give an image another backing file with `qemu-img rebase`, or none with `backing: null`.

    `unsafe` changes the name of the backing file and nothing else; otherwise the image's content stays what it was.

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
        format=document(FORMAT, "its format, if the suffix does not tell it"),
        backing={
            "anyOf": [*IMAGE["anyOf"], {"type": "null"}],
            "description": "the new backing file, by name or as `{file, format}`; null for none",
        },
        unsafe=document(BOOLEAN, "do not look at the content"),
    )

    image: Image
    backing: Image | None
    unsafe: bool

    @classmethod
    def parse(cls, argument: Any) -> Self:
        backing = argument.get("backing")
        return cls(
            parse_image_file(argument.get("file"), argument.get("format")),
            None if to_json(backing) is None else parse_image(backing),
            parse_flag(argument.get("unsafe")),
        )

    async def run(self, context: Context) -> JsonValue:
        unsafe = ["-u"] if self.unsafe else []
        backing = ["-b", self.backing.file, "-F", self.backing.format] if self.backing else ["-b", ""]
        await run_qemu_img(context, "rebase", "-q", "-f", self.image.format, *unsafe, *backing, self.image.file)
        return None
