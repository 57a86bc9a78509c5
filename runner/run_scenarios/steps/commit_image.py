"""The verb `commit-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.content.disks import Disks
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    FILE,
    IMAGE_FORMAT,
    Image,
    document,
    expand_short_form,
    object_schema,
    parse_flag,
    parse_image,
    parse_text,
)
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, run_qemu_img
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class CommitImage(Verb):
    """Commit an image, which no VM may have open, to its backing file or to `base`, with `qemu-img commit`.

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
                format=IMAGE_FORMAT,
                base=document(FILE, "image in the backing chain to commit to"),
                keep=document(BOOLEAN, "do not empty the image afterwards"),
            ),
        ]
    }

    image: Image
    base: str
    keep: bool

    @classmethod
    def parse(cls, argument: Any) -> Self:
        whole = expand_short_form(argument, "file")
        return cls(parse_image(whole), parse_text(whole.get("base")), parse_flag(whole.get("keep")))

    async def run(self, context: Context) -> JsonValue:
        base = ["-b", self.base] if self.base else []
        keep = ["-d"] if self.keep else []
        await run_qemu_img(context, "commit", "-q", "-f", self.image.format, *keep, *base, self.image.file)
        return None

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        disks.commit_file(self.image.file, self.base or None, succeeded=succeeded)
