"""The verb `launch`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from run_scenarios.core.errors import MachineDied
from run_scenarios.steps.launch import Launch

from tests.steps.test_kill import CRASHED
from tests.support.scenarios import RunSteps, trace_of


def test_it_starts_a_vm_without_machine_and_guest_cpu(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: query-cpus-fast
          expect: []
        - qmp: query-block
          expect: []
    """)
    assert run.status == 0, run.stderr


def test_drives_have_their_node_names_and_options(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: "a,b.qcow2", size: 1M}
        - launch:
            drives: [{id: drive0, file: "a,b.qcow2", format: qcow2, node-name: node0, read-only: true, cache: none}]
        - qmp: query-block
          expect: [{device: drive0, inserted: {node-name: node0, ro: true, cache: {direct: true}, file: "a,b.qcow2"}}]
    """)
    assert run.status == 0, run.stderr


def test_a_machine_has_devices_objects_and_nodes_and_runs_no_cpu(run_steps: RunSteps, tmp_path: Path) -> None:
    run = run_steps(
        """
        - create-image: {file: a.qcow2, size: 1M}
        - launch:
            machine: q35
            objects: [{qom-type: iothread, id: iothread0}]
            blockdev: [{driver: qcow2, node-name: node0, file: {driver: file, filename: a.qcow2}}]
            devices: [{driver: virtio-blk-pci, id: disk0, drive: node0, iothread: iothread0}]
        - qmp: query-iothreads
          expect: [{id: iothread0}]
        - qmp: query-block
          expect: {$contains: {qdev: {$contains: disk0}, inserted: {node-name: node0}}}
        - qmp: query-status
          expect: {status: {$one-of: [prelaunch, running]}}
        - qmp: {execute: qom-get, arguments: {path: /machine, property: type}}
          expect: {$regex: q35}
        - write: {qdev: /machine/peripheral/disk0/virtio-backend, patterns: [{byte: 0x61, at: 0, size: 64k}]}
        - shutdown
        - read: {file: a.qcow2, patterns: [{byte: 0x61, at: 0, size: 64k}]}
        """,
        "--artifacts",
        tmp_path / "kept",
    )
    assert run.status == 0, run.stderr
    (argv,) = [each["data"] for each in trace_of(tmp_path / "kept") if (each["kind"], each["vm"]) == ("exec", "vm")]
    assert "-S" in argv or "qtest" in argv


def test_several_vms_are_told_apart_by_the_modifier_vm(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 1M}
        - create-image: {file: b.raw, size: 2M}
        - launch: {blockdev: [{driver: file, node-name: source0, filename: a.raw}]}
          vm: source
        - launch: {blockdev: [{driver: file, node-name: target0, filename: b.raw}]}
          vm: destination
        - qmp: query-named-block-nodes
          vm: source
          expect: [{node-name: source0}]
        - qmp: query-named-block-nodes
          vm: destination
          expect: [{node-name: target0}]
        - shutdown:
          vm: source
        - write: {device: target0, patterns: [{byte: 1, at: 1M, size: 512}]}
          vm: destination
        - qmp: query-status
          vm: destinatoin
    """)
    assert run.status == 1
    assert run.message == "step 9 (qmp): VM 'destinatoin' has not been launched"
    assert run.only.block["hint"] == "did you mean 'destination'?"


def test_a_storage_daemon_serves_its_export(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - launch:
            program: qemu-storage-daemon
            blockdev: [{driver: qcow2, node-name: node0, file: {driver: file, filename: a.qcow2}}]
            export: [{type: nbd, id: export0, node-name: node0, writable: true}]
            arguments: [--nbd-server, "addr.type=unix,addr.path=qsd.sock"]
          vm: daemon
        - qmp: query-block-exports
          vm: daemon
          expect: [{id: export0, node-name: node0}]
        - qemu-img: [info, "nbd+unix:///node0?socket=qsd.sock"]
          expect: {stdout: {$contains: "1 MiB"}}
        - shutdown:
          vm: daemon
    """)
    assert run.status == 0, run.stderr


def test_a_command_line_that_qemu_refuses_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch: {drives: [{id: drive0, file: nosuch.qcow2, format: qcow2}]}
    """)
    assert run.status == 1
    assert run.message == "step 1 (launch): VM 'vm' exited with status 1 before its QMP greeting"
    assert "Could not open 'nosuch.qcow2': No such file or directory" in run.only.block["hint"]


def test_a_refusal_may_be_what_is_expected(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch: {arguments: [-accel, nosuch]}
          error: {status: 1, stderr: {$contains: "invalid accelerator nosuch"}}
          save: refusal
        - assert: "{{ refusal.status == 1 }}"
        - launch
        - qmp: query-status
    """)
    assert run.status == 0, run.stderr


def test_the_words_of_an_earlier_vm_of_the_same_name_are_not_matched(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch: {arguments: [-accel, nosuch]}
          error: {stderr: {$contains: invalid accelerator}}
        - launch: {drives: [{id: drive0, file: nosuch.qcow2, format: qcow2}]}
          error: {stderr: {$contains: invalid accelerator}}
    """)
    assert run.status == 1
    assert run.message.startswith(
        "step 2 (launch): VM 'vm' exited with status 1 before its QMP greeting; another error was expected: stderr: "
    )


def test_a_vm_that_starts_fails_it_where_a_refusal_is_expected(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch:
          error: {status: 1}
    """)
    assert run.status == 1
    assert run.message == "step 1 (launch): 'launch' succeeded, though it must fail"


def test_a_name_is_used_by_one_running_vm_only(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - launch
    """)
    assert run.status == 1
    assert run.message == "step 2 (launch): VM 'vm' is already running"
    assert run.only.block["hint"] == "choose another name with the modifier 'vm'"


def test_a_vm_that_was_shut_down_is_launched_again(run_steps: RunSteps, tmp_path: Path) -> None:
    run = run_steps(
        """
        - create-image: {file: a.raw, size: 1M}
        - launch: {drives: [{id: drive0, file: a.raw, format: raw}]}
        - write: {device: drive0, patterns: [{byte: 3, at: 0, size: 512}]}
        - shutdown
        - launch: {drives: [{id: drive1, file: a.raw, format: raw}]}
        - assert-no-events
        - read: {device: drive1, patterns: [{byte: 3, at: 0, size: 512}]}
        - kill
        - launch
        - qmp: query-block
          expect: []
        """,
        "--artifacts",
        tmp_path / "kept",
    )
    assert run.status == 0, run.stderr
    assert [record["data"] for record in trace_of(tmp_path / "kept") if record["kind"] == "exit"][1:] == [0, -9, 0]


def test_a_refused_relaunch_is_a_failure_like_any_other(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - shutdown
        - launch: {arguments: [-accel, nosuch]}
    """)
    assert run.status == 1
    assert run.message == "step 3 (launch): VM 'vm' exited with status 1 before its QMP greeting"


def test_a_crash_is_not_covered_by_a_relaunch() -> None:
    context = SimpleNamespace(vm_name="vm", machines={"vm": CRASHED})
    with pytest.raises(MachineDied, match="VM 'vm' was killed by SIGABRT"):
        asyncio.run(Launch("qemu", "", ()).run(cast(Any, context)))


def test_what_does_not_fit_the_program_is_a_mistake(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch: {program: qemu-storage-daemon, machine: q35}
        - launch: {devices: [{driver: virtio-rng-pci}]}
        - launch: {export: [{type: nbd}]}
    """)
    assert run.status == 2
    assert "case.yaml:4:44: error: qemu-storage-daemon does not support 'machine'" in run.stderr
    assert "case.yaml:5:14: error: guest devices need a 'machine'" in run.stderr
    assert "case.yaml:6:14: error: qemu does not support 'export'" in run.stderr
