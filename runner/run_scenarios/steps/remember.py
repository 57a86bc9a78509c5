"""The verb `remember`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import StepFailed
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import TEXT, document, object_schema, parse_text
from run_scenarios.steps.verb import Context, Verb


@dataclass(frozen=True)
class Remember(Verb):
    """Remember the content that a disk must have now, for `assert-content`.

    Nothing is read: the runner knows the content from the steps that wrote it.

    .. code-block:: yaml

        - remember: {disk: drive0, as: before-backup}
    """

    NAME = "remember"
    MUTATORS = ()
    OPENS_FILES = False
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["disk", "as"],
        disk=document(TEXT, "drive id or node name in the running VM, or name of an image file"),
        as_=document(TEXT, "name for the content"),
    )

    disk: str
    name: str

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls(parse_text(argument.get("disk")), parse_text(argument.get("as")))

    async def run(self, context: Context) -> JsonValue:
        content, size = context.disks.read_disk(context.vm_name, self.disk)
        if size is None:
            raise StepFailed(
                f"the content of '{self.disk}' is not known",
                hint="the runner knows what its own steps wrote; 'qemu-io', guests and NBD clients make it unknown",
            )
        context.disks.remembered[self.name] = (content, size)
        return None
