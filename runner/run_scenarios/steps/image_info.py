"""The verb `image-info`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import IMAGE, Image, parse_image
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, parse_json, run_qemu_img
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class ImageInfo(Verb):
    """Ask `qemu-img info` what an image is; say beside the step what is expected, or save it.

    The image may be open in a VM.

    .. code-block:: yaml

        - image-info: full.qcow2
          expect: {virtual-size: 67108864, cluster-size: 131072}
    """

    NAME = "image-info"
    MUTATORS = ()
    RESULT = "what `qemu-img info --output=json` prints"
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = IMAGE

    image: Image

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_image(argument))

    async def run(self, context: Context) -> JsonValue:
        info: JsonValue = parse_json(
            await run_qemu_img(context, "info", "-U", "--output=json", "-f", self.image.format, self.image.file)
        )
        return info
