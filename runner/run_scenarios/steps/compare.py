"""The verb `compare`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import StepFailed
from run_scenarios.core.nodes import JsonValue, MappingNode, Node, ScalarNode, SequenceNode, to_partial
from run_scenarios.steps.argument_types import (
    BOOLEAN,
    IMAGE,
    Image,
    document,
    enum_schema,
    object_schema,
    parse_flag,
    parse_image,
    parse_text,
)
from run_scenarios.steps.mutations import Mutation, expand_short_form, replace_key, replace_text
from run_scenarios.steps.qemu_img_runner import TOOL_FAILURE, tool_error
from run_scenarios.steps.verb import Context, Verb

STATUSES = {"identical": 0, "different": 1}


def _other_outcome(verb: str, argument: Node) -> Iterator[Mutation]:
    whole = expand_short_form(argument, "images")
    pair = whole.get("images")
    outcome = whole.get("outcome") or ScalarNode(argument.span, "identical")
    other = replace_text(outcome, *STATUSES)
    yield Mutation(outcome.span, {verb: replace_key(whole, "outcome", other)}, _cannot_differ(pair))


def _cannot_differ(pair: Node | None) -> str:
    if not isinstance(pair, SequenceNode) or pair.dynamic:
        return ""
    first, second = map(to_partial, pair)
    return "it is compared with itself" if first == second else ""


@dataclass(frozen=True)
class Compare(Verb):
    """Compare the content of two images with `qemu-img compare`, backing files included.

    By default they must be identical. `strict` compares sizes and allocation too.

    .. code-block:: yaml

        - compare: [inc0.qcow2, ref0.qcow2]
        - compare: {images: [before.qcow2, after.qcow2], outcome: different}
    """

    NAME = "compare"
    MUTATORS = (_other_outcome,)
    FAILS_WITH = TOOL_FAILURE
    PAIR: ClassVar[dict[str, Any]] = {"type": "array", "items": IMAGE, "minItems": 2, "maxItems": 2}
    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            PAIR,
            object_schema(
                ["images"],
                images=document(PAIR, "the two images, each by name or as `{file, format}`"),
                outcome=document(enum_schema(*STATUSES), "what must come out"),
                strict=document(BOOLEAN, "compare sizes and allocation too"),
            ),
        ]
    }

    first: Image
    second: Image
    outcome: str
    strict: bool

    @classmethod
    def parse(cls, argument: Any) -> Self:
        pair = argument.get("images") if isinstance(argument, MappingNode) else argument
        assert isinstance(pair, SequenceNode)
        first, second = map(parse_image, pair.items)
        if pair is argument:
            return cls(first, second, "identical", False)
        return cls(first, second, parse_text(argument.get("outcome"), "identical"), parse_flag(argument.get("strict")))

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
            )
        return None
