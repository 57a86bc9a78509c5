"""QMP as the QEMU under test describes it, and the check of steps against that."""
