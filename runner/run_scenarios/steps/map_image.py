"""The verb `map-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import IMAGE, Image, parse_image
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, parse_json, run_qemu_img
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class MapImage(Verb):
    """Ask `qemu-img map` where the data of an image and its backing chain is.

    The image may be open in a VM.

    .. code-block:: yaml

        - map-image: inc0.qcow2
          expect: {$contains: {start: 0, depth: 0, data: true}}
    """

    NAME = "map-image"
    MUTATORS = ()
    RESULT = "the list of extents that `qemu-img map --output=json` prints"
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = IMAGE

    image: Image

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_image(argument))

    async def run(self, context: Context) -> JsonValue:
        extents: JsonValue = parse_json(
            await run_qemu_img(context, "map", "-U", "--output=json", "-f", self.image.format, self.image.file)
        )
        return extents
