"""The verb `check-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue, MappingNode
from run_scenarios.steps.argument_types import (
    FILE,
    FORMAT,
    Image,
    document,
    enum_schema,
    object_schema,
    parse_image_file,
    parse_text,
)
from run_scenarios.steps.mutations import replace_with_failure
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, parse_json, tool_error
from run_scenarios.steps.verb import Context, Verb

CLEAN, NOT_SUPPORTED = 0, 63


@dataclass(frozen=True)
class CheckImage(Verb):
    """Check an image for errors and leaks with `qemu-img check`; it must be clean, or clean after the repair.

    .. code-block:: yaml

        - check-image: drive0.qcow2
        - check-image: {file: drive0.qcow2, repair: leaks}
          expect: {check-errors: 0}
    """

    NAME = "check-image"
    MUTATORS = (replace_with_failure,)
    RESULT = "the report that `qemu-img check --output=json` prints"
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            FILE,
            object_schema(
                ["file"],
                file=FILE,
                format=document(FORMAT, "its format, if the suffix does not tell it"),
                repair=document(enum_schema("leaks", "all"), "what to repair"),
            ),
        ]
    }

    image: Image
    repair: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if not isinstance(argument, MappingNode):
            return cls(parse_image_file(argument, None), "")
        return cls(parse_image_file(argument.get("file"), argument.get("format")), parse_text(argument.get("repair")))

    async def run(self, context: Context) -> JsonValue:
        repair = ["-r", self.repair] if self.repair else []
        done = await context.run_tool(
            "qemu-img", "check", "--output=json", "-f", self.image.format, *repair, self.image.file
        )
        if done.exitcode == NOT_SUPPORTED:
            raise tool_error(done, "cannot check this format")
        if done.exitcode != CLEAN:
            raise tool_error(done)
        report: JsonValue = parse_json(done)
        return report
