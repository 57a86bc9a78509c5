"""The verb `compare`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import StepFailed
from run_scenarios.core.nodes import JsonValue, Node, ScalarNode, SequenceNode, to_partial
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    IMAGE,
    Image,
    document,
    enum_schema,
    expand_short_form,
    object_schema,
    parse_flag,
    parse_image,
    parse_text,
)
from run_scenarios.steps.mutations import Mutation, replace_key, replace_text
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, tool_error
from run_scenarios.steps.verb import Context, Verb

STATUSES = {"identical": 0, "different": 1}


def _mutate_outcome(verb: str, argument: Node) -> Iterator[Mutation]:
    whole = expand_short_form(argument, "images")
    pair = whole.get("images")
    outcome = whole.get("outcome") or ScalarNode(argument.span, "identical")
    other = replace_text(outcome, *STATUSES)
    yield Mutation(outcome.span, {verb: replace_key(whole, "outcome", other)}, _cannot_differ(pair))


def _cannot_differ(pair: Node | None) -> str:
    if not isinstance(pair, SequenceNode) or pair.dynamic:
        return ""
    first, second = map(to_partial, pair)
    return "the image is compared with itself" if first == second else ""


@dataclass(frozen=True)
class Compare(Verb):
    """Compare the contents of two images, including their backing files, with `qemu-img compare`.

    By default they must be identical. `strict` also compares sizes and allocation.

    .. code-block:: yaml

        - compare: [inc0.qcow2, ref0.qcow2]
        - compare: {images: [before.qcow2, after.qcow2], outcome: different}
    """

    NAME = "compare"
    MUTATORS = (_mutate_outcome,)
    FAILS_WITH = TOOL_FAILURE
    PAIR: ClassVar[dict[str, Any]] = {"type": "array", "items": IMAGE, "minItems": 2, "maxItems": 2}
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            PAIR,
            object_schema(
                ["images"],
                images=document(PAIR, "the two images, each a file name or `{file, format}`"),
                outcome=document(enum_schema(*STATUSES), "required result; `identical` by default"),
                strict=document(BOOLEAN, "also compare sizes and allocation"),
            ),
        ]
    }

    first: Image
    second: Image
    outcome: str
    strict: bool

    @classmethod
    def parse(cls, argument: Any) -> Self:
        whole = expand_short_form(argument, "images")
        pair = whole.get("images")
        assert isinstance(pair, SequenceNode)
        first, second = map(parse_image, pair.items)
        return cls(first, second, parse_text(whole.get("outcome"), "identical"), parse_flag(whole.get("strict")))

    async def run(self, context: Context) -> JsonValue:
        strict = ["-s"] if self.strict else []
        formats = ["-f", self.first.format, "-F", self.second.format]
        done = await context.run_tool("qemu-img", "compare", *strict, *formats, self.first.file, self.second.file)
        if done.exitcode not in STATUSES.values():
            raise tool_error(done)
        if done.exitcode != STATUSES[self.outcome]:
            raise StepFailed(
                f"'{self.first.file}' and '{self.second.file}' are not {self.outcome}",
                wanted=self.outcome,
                found=done.stdout.strip(),
                path="status",
                difference={"expected": STATUSES[self.outcome], "found": done.exitcode},
            )
        return None
