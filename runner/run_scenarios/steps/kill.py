"""The verb `kill`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import NOTHING
from run_scenarios.steps.verb import Context, Verb, require_vm


@dataclass(frozen=True)
class Kill(Verb):
    """Kill QEMU with SIGKILL, as a power failure would, and wait until it has ended.

    .. code-block:: yaml

        - kill
    """

    NAME = "kill"
    MUTATORS = ()
    OPENS_FILES = False
    SCHEMA: ClassVar[dict[str, Any]] = NOTHING

    @classmethod
    def parse(cls, argument: Any) -> Self:
        return cls()

    async def run(self, context: Context) -> JsonValue:
        machine = require_vm(context)
        if not machine.is_running:
            raise await machine.exit_error()
        await machine.kill()
        return None
