"""The verb `map-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from runner.nodes import JsonValue
from runner.steps.asserted import ASSERTS_NOTHING
from runner.steps.base import Context, Verb
from runner.steps.shapes import IMAGE, Image, read_image
from runner.steps.tooling import TOOL_FAILURE, parse_json, qemu_img


@dataclass(frozen=True)
class MapImage(Verb):
    """Ask `qemu-img map` where the data of an image and its backing chain is.

    The image may be open in a VM.

    .. code-block:: yaml

        - map-image: inc0.qcow2
          expect: {$contains: {start: 0, depth: 0, data: true}}
    """

    NAME = "map-image"
    ASSERTS = ASSERTS_NOTHING
    RESULT = "the list of extents that `qemu-img map --output=json` prints"
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = IMAGE

    image: Image

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(read_image(argument))

    async def run(self, context: Context) -> JsonValue:
        extents: JsonValue = parse_json(
            await qemu_img(context, "map", "-U", "--output=json", "-f", self.image.format, self.image.file)
        )
        return extents
