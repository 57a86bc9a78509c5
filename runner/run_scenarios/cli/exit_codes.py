"""Exit statuses of the command, apart from those of test results and signals (128+N)."""

from __future__ import annotations

WRONG_USAGE = 2
"""Wrong usage, or an invalid scenario."""
CANNOT_RUN = 3
"""The run could not proceed, or hit a bug in run-scenarios."""
NOTHING_TO_RUN = 5
