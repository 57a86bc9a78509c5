"""What stays in a case's directory, and what does not: the names that `confine` goes by. Imports nothing of ours.

Sources: QEMU's qapi/block-core.json, qapi/qom.json, qapi/sockets.json, hmp-commands.hx, qemu-options.hx, and the
manual of qemu-nbd.
"""

from __future__ import annotations

import re


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


BLOCK_DRIVERS = _names(
    "blkdebug blklogwrites blkreplay blkverify bochs cloop compress copy-before-write copy-on-read dmg file "
    "luks nbd null-aio null-co parallels preallocate qcow qcow2 qed quorum raw replication snapshot-access "
    "throttle vdi vhdx vmdk vpc"
)
OBJECTS = _names(
    "acpi-generic-initiator acpi-generic-port authz-list authz-listfile authz-simple can-bus colo-compare "
    "cryptodev-backend cryptodev-backend-builtin filter-buffer filter-dump filter-mirror filter-redirector "
    "filter-replay filter-rewriter iothread main-loop memory-backend-file memory-backend-memfd "
    "memory-backend-ram memory-backend-shm pr-manager-helper rng-builtin secret thread-context throttle-group "
    "tls-cipher-suites tls-creds-anon tls-creds-psk tls-creds-x509"
)
HOST_DEVICE = re.compile(r"vfio|vhost|vdpa|xen|usb-host|passthru|input-host|ccid-card-emul|extern|redir|proxy|tpm")
COMMANDS_OUTSIDE = frozenset({"add_client", "chardev-add", "chardev-change", "display-update", "netdev_add"})
MONITOR_COMMANDS = _names(
    "? block_job_cancel block_job_complete block_job_pause block_job_resume block_job_set_speed block_resize "
    "block_set_io_throttle block_stream c commit cont delvm device_del drive_add drive_backup drive_del "
    "drive_mirror eject help i info loadvm nbd_server_stop object_del p print q qemu-io qom-get qom-list quit "
    "s savevm snapshot_blkdev snapshot_blkdev_internal snapshot_delete_blkdev_internal stop system_powerdown "
    "system_reset system_wakeup"
)
KINDS = {"block": ("block driver", BLOCK_DRIVERS), "object": ("object", OBJECTS)}
OPTIONS: dict[str, frozenset[str]] = {
    "launch": _names(
        "D M S accel action blockdev boot cdrom cpu d device drive export global hda hdb hdc hdd icount incoming m "
        "machine mem-prealloc msg name nbd-server no-acpi no-hpet no-reboot no-shutdown no-user-config nodefaults "
        "object only-migratable overcommit rtc seed smp snapshot trace uuid vga"
    ),
    "serve-nbd": _names(
        "A B D aio allocation-depth bitmap cache description detect-zeroes discard e export-name image-opts n "
        "nocache o object offset r read-only s shared snapshot t persistent trace v verbose x"
    ),
}
ADDRESSES_OUTSIDE = frozenset({"inet", "vsock", "fd", "exec", "rdma", "vduse-blk"})
BLOCK_COMMANDS = re.compile(r"(x-)?block|drive-|transaction$")
# What QEMU looks up among its own, never in a file system; and, of objects, a path through its own tree.
NAMES = _names("id name node-name export x-dirty-bitmap bitmap description desc qdev bus typename property")
OBJECT_PATHS = frozenset({"qom-get", "qom-set", "qom-list", "device-sync-config", "x-query-virtio-status"})
