"""The verb `check-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import (
    FILE,
    IMAGE_FORMAT,
    Image,
    document,
    enum_schema,
    expand_short_form,
    object_schema,
    parse_image,
    parse_text,
)
from run_scenarios.steps.mutations import replace_with_failure
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, parse_json, tool_error
from run_scenarios.steps.verb import Context, Verb

CLEAN, NOT_SUPPORTED = 0, 63


@dataclass(frozen=True)
class CheckImage(Verb):
    """Check an image with `qemu-img check`; it must have no errors and no leaks, or none left after `repair`.

    .. code-block:: yaml

        - check-image: drive0.qcow2
        - check-image: {file: drive0.qcow2, repair: leaks}
          expect: {check-errors: 0}
    """

    NAME = "check-image"
    MUTATORS = (replace_with_failure,)
    RESULT = "the output of `qemu-img check --output=json`"
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            FILE,
            object_schema(
                ["file"],
                file=FILE,
                format=IMAGE_FORMAT,
                repair=document(enum_schema("leaks", "all"), "repair leaks only, or all errors"),
            ),
        ]
    }

    image: Image
    repair: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        whole = expand_short_form(argument, "file")
        return cls(parse_image(whole), parse_text(whole.get("repair")))

    async def run(self, context: Context) -> JsonValue:
        repair = ["-r", self.repair] if self.repair else []
        done = await context.run_tool(
            "qemu-img", "check", "--output=json", "-f", self.image.format, *repair, self.image.file
        )
        if done.exitcode == NOT_SUPPORTED:
            raise tool_error(done, "does not support checks for this format")
        if done.exitcode != CLEAN:
            raise tool_error(done)
        report: JsonValue = parse_json(done)
        return report
