"""Run qemu-img for the verbs, and turn its failures into errors."""

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


def tool_error(done: CompletedTool, problem: str = "") -> CommandFailed:
    """Return the error for a tool that failed; by default, its exit status is the problem."""
    reply: dict[str, object] = {"status": done.exitcode, "stdout": done.stdout, "stderr": done.stderr}
    first = (done.stderr.strip() or done.stdout.strip()).split("\n")[0]
    command = shlex.quote(done.argv[1])
    name = done.argv[0].rsplit("/", 1)[-1]
    hint = lock_hint(done.stderr) or f"ran: {done.command}"
    return CommandFailed(f"{name} {command} {problem or describe_status(done.exitcode)}: {first}", reply, hint=hint)


def lock_hint(output: str) -> str:
    """Return a hint if the output shows that a VM has the image open, "" otherwise."""
    locked = re.search(r"Failed to get .*lock", output)
    return "a VM has the image open: use 'shutdown' first, or 'device' instead of 'file'" if locked else ""


async def run_qemu_img(context: Context, *arguments: str) -> CompletedTool:
    """Run qemu-img, which must exit with status 0.

    :raise CommandFailed: if its status is not 0.
    :raise SetupError: if it cannot be started.
    """
    done = await context.run_tool("qemu-img", *arguments)
    if done.exitcode != 0:
        raise tool_error(done)
    return done


def parse_json(done: CompletedTool) -> Any:
    """Return the JSON output of a tool.

    :raise CommandFailed: if the output is not valid JSON.
    """
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise tool_error(done, "printed invalid JSON") from None
