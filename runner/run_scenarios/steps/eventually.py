"""The verb `eventually`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from run_scenarios.core.errors import CommandFailed, MachineDied, MachineEnded, StepFailed, TimeLimitExceeded
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.argument_types import DURATION_SCHEMA, document, object_schema, parse_seconds
from run_scenarios.steps.scope import Block, Scope
from run_scenarios.steps.verb import Context, ControlFlowVerb, Step

INTERVAL_S = 0.05


@dataclass(frozen=True)
class Eventually(ControlFlowVerb):
    """Repeat `steps` until all of them pass, to wait for a state that QEMU sends no event for.

    If a step fails or exceeds its own `timeout`, all steps are run again from the first one, until `within` has passed;
    then the last failure is reported. `within` also limits how long a step waits. Events that a failed attempt consumed
    are unconsumed again. There is no further attempt after a crash, or once the VM has ended. Prefer `wait-event` and
    `wait-job`, which do not poll.

    .. code-block:: yaml

        - eventually: {within: 10s}
          steps:
            - qmp: query-status
              expect: {status: paused}
    """

    NAME = "eventually"
    MUTATORS = ()
    HAS_BODY = True
    SCHEMA: ClassVar[dict[str, Any]] = object_schema(
        ["within"],
        within=document(DURATION_SCHEMA, "how long to retry"),
        every=document(DURATION_SCHEMA, "delay between two tries; 50 ms by default"),
    )

    within_s: float
    every_s: float

    @classmethod
    def parse(cls, argument: Any) -> Self:
        if argument.dynamic:
            # The dry run visits the steps before the durations are known.
            return cls(INTERVAL_S, INTERVAL_S)
        every = argument.get("every")
        return cls(parse_seconds(argument.get("within")), parse_seconds(every) if every else INTERVAL_S)

    def unfold(self, scope: Scope, body: tuple[Step, ...]) -> Iterator[Block]:
        yield Block(body, Scope(scope.variables, scope.procedures))

    async def run(self, context: Context) -> JsonValue:
        import asyncio

        clock = asyncio.get_running_loop().time
        deadline = clock() + self.within_s
        mismatch: StepFailed | None = None
        attempts = 0
        while True:
            attempts += 1
            try:
                await self._attempt(context, deadline - clock())
                return None
            except (MachineDied, MachineEnded):
                raise
            except StepFailed as failure:
                if isinstance(failure, CommandFailed) and failure.crash_status is not None:
                    raise
                mismatch = failure
            except TimeLimitExceeded as late:
                mismatch = mismatch if mismatch and clock() >= deadline else StepFailed(str(late))
            if clock() + self.every_s > deadline:
                break
            context.trace.record("pause", None, self.every_s)
            await asyncio.sleep(self.every_s)
        mismatch.details = (*mismatch.details, f"tried {attempts} time(s) within {self.within_s:g} s")
        raise mismatch

    async def _attempt(self, context: Context, left_s: float) -> None:
        """Run the steps once; if they fail, the events that they consumed are unconsumed again."""
        with contextlib.ExitStack() as undone:
            for machine in context.machines.values():
                undone.enter_context(machine.events.attempt())
            for block in self.unfold(context.scope, context.body):
                await context.run_block(block, max(left_s, 0))
