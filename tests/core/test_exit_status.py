"""What an exit status is called."""

from __future__ import annotations

from run_scenarios.core.exit_status import describe_status, signal_name


def test_a_status_is_described() -> None:
    assert describe_status(1) == "exited with status 1"
    assert describe_status(-11) == "was killed by SIGSEGV"
    assert describe_status(-40) == "was killed by signal 40"
    assert signal_name(0) == ""
