"""QEMU and its tools as processes: how they are found, started, talked to and ended."""
