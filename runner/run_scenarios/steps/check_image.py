"""The verb `check-image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue, MappingNode
from run_scenarios.steps.argument_types import FILE, FORMAT, Image, described, image_of, one_of, record, text_of
from run_scenarios.steps.mutations import by_itself
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, failure_of, parse_json
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
    ASSERTS = (by_itself,)
    RESULT = "the report that `qemu-img check --output=json` prints"
    FAILS_WITH = TOOL_FAILURE
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            FILE,
            record(
                ["file"],
                file=FILE,
                format=described(FORMAT, "its format, if the suffix does not tell it"),
                repair=described(one_of("leaks", "all"), "what to repair"),
            ),
        ]
    }

    image: Image
    repair: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if not isinstance(argument, MappingNode):
            return cls(image_of(argument, None), "")
        return cls(image_of(argument.get("file"), argument.get("format")), text_of(argument.get("repair")))

    async def run(self, context: Context) -> JsonValue:
        repair = ["-r", self.repair] if self.repair else []
        done = await context.tool(
            "qemu-img", "check", "--output=json", "-f", self.image.format, *repair, self.image.file
        )
        if done.status == NOT_SUPPORTED:
            raise failure_of(done, "cannot check this format")
        if done.status != CLEAN:
            raise failure_of(done)
        report: JsonValue = parse_json(done)
        return report
