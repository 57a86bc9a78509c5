"""The verb `shutdown`."""

from __future__ import annotations

from dataclasses import dataclass

from run_scenarios.content.disks import Disks
from run_scenarios.core.errors import StepFailed
from run_scenarios.core.exit_status import describe_status
from run_scenarios.core.nodes import JsonValue
from run_scenarios.steps.qemu_io_output import check_asynchronous_output
from run_scenarios.steps.verb import Context, VerbWithoutArgument, require_vm


@dataclass(frozen=True)
class Shutdown(VerbWithoutArgument):
    """Send `quit` to QEMU and wait until it has exited with status 0.

    .. code-block:: yaml

        - shutdown
        - shutdown:
          vm: destination
    """

    NAME = "shutdown"
    MUTATORS = ()
    OPENS_FILES = False

    async def run(self, context: Context) -> JsonValue:
        machine = require_vm(context)
        context.describe_wait("QEMU to exit after 'quit'")
        await machine.execute({"execute": "quit"})
        status = await machine.wait_exit()
        if status != 0:
            raise StepFailed(
                f"VM '{machine.name}' {describe_status(status)} after 'quit'",
                wanted="0",
                found=str(status),
                hint=machine.stderr_tail(),
            )
        check_asynchronous_output(machine)
        return None

    def record(self, disks: Disks, vm: str, *, succeeded: bool) -> None:
        disks.end(vm, cleanly=succeeded)
