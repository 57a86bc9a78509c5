"""The base class of the verbs that query an image with qemu-img."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import IMAGE, Image, parse_image
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, parse_json, run_qemu_img
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class ImageQuery(Verb):
    """A verb that returns the JSON output of a qemu-img command; a VM may have the image open."""

    MUTATORS = ()
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = IMAGE
    QEMU_IMG_COMMAND: ClassVar[str]

    image: Image

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_image(argument))

    async def run(self, context: Context) -> JsonValue:
        options = ["-U", "--output=json", "-f", self.image.format]
        output: JsonValue = parse_json(await run_qemu_img(context, self.QEMU_IMG_COMMAND, *options, self.image.file))
        return output
