"""`--print-completion`: print the completion script for a shell."""

from __future__ import annotations

from argcomplete.shell_integration import shellcode

from run_scenarios.cli.options import Options
from run_scenarios.report.stream import LineStream


def execute(options: Options, stdout: LineStream, stderr: LineStream) -> int:
    """Print the script."""
    stdout.write(shellcode(["run-scenarios"], shell=options.shell).rstrip("\n"))
    return 0
