"""The verb `image-info`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from runner.nodes import JsonValue
from runner.steps.asserted import ASSERTS_NOTHING
from runner.steps.base import Context, Verb
from runner.steps.shapes import IMAGE, Image, read_image
from runner.steps.tooling import TOOL_FAILURE, parse_json, qemu_img


@dataclass(frozen=True)
class ImageInfo(Verb):
    """Ask `qemu-img info` what an image is; say beside the step what is expected, or save it.

    The image may be open in a VM.

    .. code-block:: yaml

        - image-info: full.qcow2
          expect: {virtual-size: 67108864, cluster-size: 131072}
    """

    NAME = "image-info"
    ASSERTS = ASSERTS_NOTHING
    RESULT = "what `qemu-img info --output=json` prints"
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = IMAGE

    image: Image

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(read_image(argument))

    async def run(self, context: Context) -> JsonValue:
        info: JsonValue = parse_json(
            await qemu_img(context, "info", "-U", "--output=json", "-f", self.image.format, self.image.file)
        )
        return info
