"""The command `run-scenarios`."""
