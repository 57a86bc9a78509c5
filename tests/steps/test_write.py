"""The verb `write`."""

from __future__ import annotations

from tests.support.scenarios import RunSteps

FAILING = """
procedures:
  launch-with-failing-drive:
    summary: A node `bad` above blkdebug, which fails every write behind 64k.
    steps:
      - create-image: {file: a.raw, size: 1M}
      - launch:
          blockdev:
            - driver: blkdebug
              node-name: bad
              image: {driver: file, filename: a.raw}
              inject-error: [{event: none, iotype: write, errno: 28, sector: 128}]
"""


def test_what_is_written_to_a_device_is_in_the_file(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 64M}
        - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2}]}
        - write:
            device: drive0
            patterns: [{byte: 0xab, at: 0, size: 512}, {byte: 0xfe, at: 32736k, size: 64k}, {byte: 0, at: 1, size: 3}]
        - shutdown
        - read:
            file: a.qcow2
            patterns:
              - {byte: 0xab, at: 4, size: 508}
              - {byte: 0, at: 1, size: 3}
              - {byte: 0xfe, at: 33521664, size: 65536}
    """)
    assert run.status == 0, run.stderr


def test_what_is_written_to_a_file_is_on_the_device(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - write: {file: a.qcow2, patterns: [{byte: 0x41, at: 64k, size: 1.5k}, {at: 128k, size: 512}]}
        - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2, node-name: node0}]}
        - read:
            device: node0
            patterns:
              - {byte: 0x41, at: 64k, size: 1536}
              - {byte: 0, at: 67072, size: 512}
              - {byte: 0xcd, at: 128k, size: 512}
    """)
    assert run.status == 0, run.stderr


def test_a_guest_device_is_written_by_its_path(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 1M}
        - launch:
            machine: q35
            blockdev: [{driver: raw, node-name: node0, file: {driver: file, filename: a.raw}}]
            devices: [{driver: virtio-blk-pci, drive: node0, id: disk0}]
        - write: {qdev: /machine/peripheral/disk0/virtio-backend, patterns: [{byte: 0x77, at: 0, size: 512}]}
        - shutdown
        - read: {file: a.raw, patterns: [{byte: 0x77, at: 0, size: 512}]}
    """)
    assert run.status == 0, run.stderr


def test_a_guest_device_without_a_backend_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch: {machine: q35, devices: [{driver: virtio-rng-pci, id: rng0}]}
        - write: {qdev: rng0, patterns: [{byte: 0x77, at: 0, size: 512}]}
    """)
    assert run.status == 1
    assert run.message == (
        "step 2 (write): 'write -P0x77 0 512' on rng0 failed: Error: Device does not have a block device backend"
    )


def test_a_write_past_the_end_of_a_device_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2}]}
        - write: {device: drive0, patterns: [{byte: 1, at: 0, size: 512}, {byte: 1, at: 1M, size: 512}]}
    """)
    assert run.status == 1
    assert run.message == ("step 3 (write): 'write -P0x01 1M 512' on drive0 failed: write failed: Input/output error")


def test_a_write_past_the_end_of_a_file_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - write: {file: a.qcow2, patterns: [{byte: 1, at: 2M, size: 512}, {byte: 1, at: 0, size: 512}]}
    """)
    assert run.status == 1
    assert run.message == ("step 2 (write): 'write -P0x01 2M 512' on a.qcow2 failed: write failed: Input/output error")


def test_an_injected_error_that_is_only_printed_fails_it(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-with-failing-drive
        - write: {device: bad, patterns: [{byte: 1, at: 0, size: 64k}]}
        - write: {device: bad, patterns: [{byte: 1, at: 64k, size: 512}]}
        """,
        head=FAILING,
    )
    assert run.status == 1
    assert run.message == (
        "step 5 (write): 'write -P0x01 64k 512' on bad failed: write failed: No space left on device"
    )


def test_an_injected_error_may_be_what_is_expected(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - call: launch-with-failing-drive
        - write: {device: bad, patterns: [{byte: 1, at: 64k, size: 512}]}
          error: {output: "write failed: No space left on device"}
        - write: {device: bad, patterns: [{byte: 1, at: 64k, size: 512}]}
          error: {output: {$contains: Input/output error}}
        """,
        head=FAILING,
    )
    assert run.status == 1
    assert run.message.startswith("step 5 (write): ")
    assert run.message.endswith(
        '; another error was expected: output: expected text containing "Input/output error" (string), '
        'found "write failed: No space left on device" (string)'
    )


def test_a_file_that_a_vm_has_open_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - launch: {drives: [{id: drive0, file: a.qcow2, format: qcow2}]}
        - write: {file: a.qcow2, patterns: [{byte: 1, at: 0, size: 512}]}
    """)
    assert run.status == 1
    assert 'Failed to get "write" lock' in run.message


def test_a_device_of_a_vm_that_was_not_launched_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - write: {device: drive0, patterns: [{byte: 1, at: 0, size: 512}]}
    """)
    assert run.status == 1
    assert run.message == "step 1 (write): VM 'vm' has not been launched"


def test_a_daemon_without_a_human_monitor_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch: {program: qemu-storage-daemon, blockdev: [{driver: null-co, node-name: node0}]}
        - write: {device: node0, patterns: [{byte: 1, at: 0, size: 512}]}
    """)
    assert run.status == 1
    assert run.message == (
        "step 2 (write): 'human-monitor-command' failed with CommandNotFound: "
        "The command human-monitor-command has not been found"
    )
