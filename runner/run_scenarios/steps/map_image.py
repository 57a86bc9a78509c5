"""The verb `map-image`."""

from __future__ import annotations

from dataclasses import dataclass

from run_scenarios.steps.image_query import ImageQuery


@dataclass(frozen=True)
class MapImage(ImageQuery):
    """Query which ranges of an image and its backing chain are allocated, with `qemu-img map`.

    A VM may have the image open.

    .. code-block:: yaml

        - map-image: inc0.qcow2
          expect: {$contains: {start: 0, depth: 0, data: true}}
    """

    NAME = "map-image"
    RESULT = "the output of `qemu-img map --output=json`, a list of extents"
    QEMU_IMG_COMMAND = "map"
