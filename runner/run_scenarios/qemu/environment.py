"""The programs of a QEMU build, and QEMU's own environment variables for them. Imports nothing of ours."""

from __future__ import annotations

TOOLS = {
    "qemu": "QEMU_PROG",
    "qemu-img": "QEMU_IMG_PROG",
    "qemu-io": "QEMU_IO_PROG",
    "qemu-nbd": "QEMU_NBD_PROG",
    "qemu-storage-daemon": "QSD_PROG",
}
