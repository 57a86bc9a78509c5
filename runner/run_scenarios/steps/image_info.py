"""The verb `image-info`."""

from __future__ import annotations

from dataclasses import dataclass

from run_scenarios.steps.image_query import ImageQuery


@dataclass(frozen=True)
class ImageInfo(ImageQuery):
    """Query the properties of an image with `qemu-img info`, to check them with `expect` or to `save` them.

    A VM may have the image open.

    .. code-block:: yaml

        - image-info: full.qcow2
          expect: {virtual-size: 67108864, cluster-size: 131072}
    """

    NAME = "image-info"
    RESULT = "the output of `qemu-img info --output=json`"
    QEMU_IMG_COMMAND = "info"
