"""Generate the list of QMP names that any known QEMU offers."""
