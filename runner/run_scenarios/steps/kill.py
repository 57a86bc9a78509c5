"""The verb `kill`."""

from __future__ import annotations

from dataclasses import dataclass

from run_scenarios.content.disks import Disks
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.verb import Context, VerbWithoutArgument, require_vm


@dataclass(frozen=True)
class Kill(VerbWithoutArgument):
    """Kill QEMU with SIGKILL, as if its host had failed, and wait until it has exited.

    .. code-block:: yaml

        - kill
    """

    NAME = "kill"
    MUTATORS = ()
    OPENS_FILES = False

    async def run(self, context: Context) -> JsonValue:
        machine = require_vm(context)
        if not machine.is_running:
            raise await machine.exit_error()
        await machine.kill()
        return None

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        disks.end(vm, cleanly=False)
