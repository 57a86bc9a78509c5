"""The verb `kill`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from runner.nodes import JsonValue
from runner.steps.asserted import ASSERTS_NOTHING
from runner.steps.base import Context, Verb, machine_of
from runner.steps.shapes import NOTHING


@dataclass(frozen=True)
class Kill(Verb):
    """Kill QEMU with SIGKILL, as a power failure would, and wait until it has ended.

    .. code-block:: yaml

        - kill
    """

    NAME = "kill"
    ASSERTS = ASSERTS_NOTHING
    NAMES_FILES = False
    SCHEMA: ClassVar[dict[str, Any]] = NOTHING

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls()

    async def run(self, context: Context) -> JsonValue:
        machine = machine_of(context)
        if machine.status is not None:
            raise await machine.death()
        await machine.kill()
        return None
