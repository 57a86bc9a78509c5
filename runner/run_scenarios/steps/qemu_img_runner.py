"""How the verbs run qemu-img and qemu-io, and what they make of the output."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

from run_scenarios.core.errors import CommandFailed
from run_scenarios.core.exit_status import describe_status
from run_scenarios.steps.verb import Context

if TYPE_CHECKING:
    from run_scenarios.qemu.process import CompletedTool

TOOL_FAILURE = "`{status, stdout, stderr}` of the tool"


def tool_error(done: CompletedTool, says: str = "") -> CommandFailed:
    """Return the error for a tool that did not do what it was asked."""
    reply: dict[str, object] = {"status": done.exitcode, "stdout": done.stdout, "stderr": done.stderr}
    first = (done.stderr.strip() or done.stdout.strip()).split("\n")[0]
    command = shlex.quote(done.argv[1])
    name = done.argv[0].rsplit("/", 1)[-1]
    hint = lock_hint(done.stderr) or f"ran: {done.command}"
    return CommandFailed(f"{name} {command} {says or describe_status(done.exitcode)}: {first}", reply, hint=hint)


def lock_hint(output: str) -> str:
    """Return what to do about an image that a VM has open, "" if that is not the trouble."""
    locked = re.search(r"Failed to get .*lock", output)
    return "a VM has the image open: 'shutdown' first, or name its 'device' instead of the file" if locked else ""


async def run_tool(context: Context, tool: str, *arguments: str) -> CompletedTool:
    """Run a tool that must succeed.

    :raise CommandFailed: if its status is not 0.
    :raise SetupError: if it cannot be started.
    """
    done = await context.run_tool(tool, *arguments)
    if done.exitcode != 0:
        raise tool_error(done)
    return done


async def run_qemu_img(context: Context, *arguments: str) -> CompletedTool:
    """Run qemu-img, which must succeed.

    :raise CommandFailed: if its status is not 0.
    """
    return await run_tool(context, "qemu-img", *arguments)


def parse_json(done: CompletedTool) -> Any:
    """Return what a tool printed as JSON.

    :raise CommandFailed: if it is no JSON.
    """
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise tool_error(done, "printed no JSON") from None
