"""The QMP names of QEMU 6.2 to 11.1; `python -m qa.known_qmp` generates this module."""

from __future__ import annotations

OLDEST = (6, 2, 0)
NEWEST = (11, 1, 3)
_COMMANDS = """
add-fd add_client announce-self balloon block-commit block-dirty-bitmap-add block-dirty-bitmap-clear
block-dirty-bitmap-disable block-dirty-bitmap-enable block-dirty-bitmap-merge block-dirty-bitmap-remove block-export-add
block-export-del block-job-cancel block-job-change block-job-complete block-job-dismiss block-job-finalize
block-job-pause block-job-resume block-job-set-speed block-latency-histogram-set block-set-write-threshold block-stream
block_resize block_set_io_throttle blockdev-add blockdev-backup blockdev-change-medium blockdev-close-tray
blockdev-create blockdev-del blockdev-insert-medium blockdev-mirror blockdev-open-tray blockdev-remove-medium
blockdev-reopen blockdev-set-active blockdev-snapshot blockdev-snapshot-delete-internal-sync
blockdev-snapshot-internal-sync blockdev-snapshot-sync calc-dirty-rate cancel-vcpu-dirty-limit change-backing-file
change-vnc-password chardev-add chardev-change chardev-remove chardev-send-break client_migrate_info closefd cont
cxl-add-dynamic-capacity cxl-inject-correctable-error cxl-inject-dram-event cxl-inject-general-media-event
cxl-inject-memory-module-event cxl-inject-poison cxl-inject-uncorrectable-errors cxl-release-dynamic-capacity
device-list-properties device-sync-config device_add device_del display-reload display-update drive-backup drive-mirror
dump-guest-memory dump-skeys dumpdtb eject expire_password get-win32-socket getfd human-monitor-command
inject-ghes-v2-error inject-nmi input-send-event job-cancel job-complete job-dismiss job-finalize job-pause job-resume
memsave migrate migrate-continue migrate-incoming migrate-pause migrate-recover migrate-set-capabilities
migrate-set-parameters migrate-start-postcopy migrate_cancel nbd-server-add nbd-server-remove nbd-server-start
nbd-server-stop netdev_add netdev_del object-add object-del pmemsave qmp_capabilities qom-get qom-list qom-list-get
qom-list-properties qom-list-types qom-set query-accelerators query-acpi-ospm-status query-audiodevs query-balloon
query-block query-block-exports query-block-jobs query-blockstats query-chardev query-chardev-backends query-colo-status
query-command-line-options query-commands query-cpu-definitions query-cpu-model-baseline query-cpu-model-comparison
query-cpu-model-expansion query-cpus-fast query-cryptodev query-current-machine query-dirty-rate query-display-options
query-dump query-dump-guest-memory-capability query-fdsets query-firmware-log query-gic-capabilities
query-hotpluggable-cpus query-hv-balloon-status-report query-iothreads query-jobs query-kvm query-machines query-memdev
query-memory-devices query-memory-size-summary query-mice query-migrate query-migrate-capabilities
query-migrate-parameters query-migrationthreads query-name query-named-block-nodes query-pci query-pr-managers
query-qmp-schema query-replay query-rocker query-rocker-of-dpa-flows query-rocker-of-dpa-groups query-rocker-ports
query-rx-filter query-s390x-cpu-polarization query-sev query-sev-attestation-report query-sev-capabilities
query-sev-launch-measure query-sgx query-sgx-capabilities query-spice query-stats query-stats-schemas query-status
query-target query-tpm query-tpm-models query-tpm-types query-uuid query-vcpu-dirty-limit query-version
query-vm-generation-id query-vnc query-vnc-servers query-xen-replication-status query-yank quit remove-fd replay-break
replay-delete-break replay-seek request-ebpf ringbuf-read ringbuf-write rtc-reset-reinjection screendump send-key
set-action set-cpu-topology set-numa-node set-vcpu-dirty-limit set_link set_password sev-inject-launch-secret
snapshot-delete snapshot-load snapshot-save stop system_powerdown system_reset system_wakeup trace-event-get-state
trace-event-set-state transaction watchdog-set-action x-accel-stats x-blockdev-amend x-blockdev-change
x-blockdev-set-iothread x-colo-lost-heartbeat x-debug-block-dirty-bitmap-sha256 x-debug-query-block-graph
x-exit-preconfig x-query-interrupt-controllers x-query-irq x-query-jit x-query-numa x-query-opcount x-query-profile
x-query-ramblock x-query-rdma x-query-roms x-query-usb x-query-virtio x-query-virtio-queue-element
x-query-virtio-queue-status x-query-virtio-status x-query-virtio-vhost-queue-status xen-colo-do-checkpoint
xen-event-inject xen-event-list xen-load-devices-state xen-save-devices-state xen-set-global-dirty-log
xen-set-replication yank
"""
COMMANDS = frozenset(_COMMANDS.split())
_EVENTS = """
ACPI_DEVICE_OST BALLOON_CHANGE BLOCK_EXPORT_DELETED BLOCK_IMAGE_CORRUPTED BLOCK_IO_ERROR BLOCK_JOB_CANCELLED
BLOCK_JOB_COMPLETED BLOCK_JOB_ERROR BLOCK_JOB_PENDING BLOCK_JOB_READY BLOCK_WRITE_THRESHOLD COLO_EXIT
CPU_POLARIZATION_CHANGE DEVICE_DELETED DEVICE_TRAY_MOVED DEVICE_UNPLUG_GUEST_ERROR DUMP_COMPLETED FAILOVER_NEGOTIATED
GUEST_CRASHLOADED GUEST_PANICKED GUEST_PVSHUTDOWN HV_BALLOON_STATUS_REPORT JOB_STATUS_CHANGE MEMORY_DEVICE_SIZE_CHANGE
MEMORY_FAILURE MEM_UNPLUG_ERROR MIGRATION MIGRATION_PASS NETDEV_STREAM_CONNECTED NETDEV_STREAM_DISCONNECTED
NETDEV_VHOST_USER_CONNECTED NETDEV_VHOST_USER_DISCONNECTED NIC_RX_FILTER_CHANGED POWERDOWN PR_MANAGER_STATUS_CHANGED
QUORUM_FAILURE QUORUM_REPORT_BAD RDMA_GID_STATUS_CHANGED RESET RESUME RTC_CHANGE SCLP_CPI_INFO_AVAILABLE SHUTDOWN
SPICE_CONNECTED SPICE_DISCONNECTED SPICE_INITIALIZED SPICE_MIGRATE_COMPLETED STOP SUSPEND SUSPEND_DISK UNPLUG_PRIMARY
VFIO_MIGRATION VFU_CLIENT_HANGUP VNC_CONNECTED VNC_DISCONNECTED VNC_INITIALIZED VSERPORT_CHANGE WAKEUP WATCHDOG
"""
EVENTS = frozenset(_EVENTS.split())
_FEATURES = """
CPU_POLARIZATION_CHANGE/unstable MEM_UNPLUG_ERROR/deprecated SCLP_CPI_INFO_AVAILABLE/unstable
block-job-complete/deprecated block-job-dismiss/deprecated block-job-finalize/deprecated block-job-pause/deprecated
block-job-resume/deprecated blockdev-snapshot/allow-write-only-overlay cxl-add-dynamic-capacity/unstable
cxl-release-dynamic-capacity/unstable device-sync-config/unstable device_add/json-cli device_add/json-cli-hotplug
drive-backup/deprecated human-monitor-command/savevm-monitor-nodes inject-ghes-v2-error/unstable
nbd-server-add/deprecated nbd-server-remove/deprecated query-kvm/deprecated query-migrationthreads/deprecated
query-s390x-cpu-polarization/unstable set-cpu-topology/unstable x-accel-stats/unstable x-blockdev-amend/unstable
x-blockdev-change/unstable x-blockdev-set-iothread/unstable x-colo-lost-heartbeat/unstable
x-debug-block-dirty-bitmap-sha256/unstable x-debug-query-block-graph/unstable x-exit-preconfig/unstable
x-query-interrupt-controllers/unstable x-query-irq/unstable x-query-jit/unstable x-query-numa/unstable
x-query-opcount/unstable x-query-profile/unstable x-query-ramblock/unstable x-query-rdma/unstable x-query-roms/unstable
x-query-usb/unstable x-query-virtio-queue-element/unstable x-query-virtio-queue-status/unstable
x-query-virtio-status/unstable x-query-virtio-vhost-queue-status/unstable x-query-virtio/unstable
"""
FEATURES = frozenset(_FEATURES.split())
