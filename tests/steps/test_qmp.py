"""The verb `qmp`."""

from __future__ import annotations

from pathlib import Path

from tests.support.scenarios import RunSteps, trace_of


def test_a_command_goes_to_qemu_as_written(run_steps: RunSteps, tmp_path: Path) -> None:
    run = run_steps(
        """
        - launch
        - qmp:
            execute: blockdev-add
            arguments: {driver: null-co, node-name: node0, size: 0x100000, read-zeroes: true}
        - qmp: {exec-oob: query-status}
          error: {class: GenericError, desc: {$contains: does not support OOB}}
        - read: {device: node0, patterns: [{byte: 0, at: 1048064, size: 512}]}
        """,
        "--artifacts",
        tmp_path / "kept",
    )
    assert run.status == 0, run.stderr
    sent = [record["data"] for record in trace_of(tmp_path / "kept") if record["kind"] == "send"]
    assert {"driver": "null-co", "node-name": "node0", "size": 1048576, "read-zeroes": True} in [
        message.get("arguments") for message in sent
    ]


def test_what_is_returned_is_expected_and_saved(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: query-version
          save: version
          expect: {qemu: {major: {$ge: 6}}}
        - assert: "{{ version.qemu.major >= 6 }}"
        - qmp: query-block-jobs
          expect: []
    """)
    assert run.status == 0, run.stderr


def test_a_return_value_of_another_type_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: {execute: qom-get, arguments: {path: /machine, property: type}}
          expect: 0
    """)
    assert run.status == 1
    assert run.message == ("step 2 (qmp): the result of 'qmp': expected 0 (integer), found \"none-machine\" (string)")


def test_an_error_that_nobody_expects_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: {execute: blockdev-del, arguments: {node-name: nosuch}}
    """)
    assert run.status == 1
    assert run.message == (
        "step 2 (qmp): 'blockdev-del' failed with GenericError: Failed to find node with node-name='nosuch'"
    )


def test_an_expected_error_passes_and_is_saved(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: {execute: block-job-cancel, arguments: {device: nosuch}}
          error: {class: DeviceNotActive, desc: {$contains: nosuch}}
          save: refusal
        - assert: "{{ refusal.class == 'DeviceNotActive' }}"
    """)
    assert run.status == 0, run.stderr


def test_another_error_than_expected_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: {execute: blockdev-del, arguments: {node-name: nosuch}}
          error: {class: DeviceNotFound}
    """)
    assert run.status == 1
    assert run.message.endswith(
        '; another error was expected: class: expected "DeviceNotFound" (string), found "GenericError" (string)'
    )
    assert run.only.block["at"] == {"file": "case.yaml", "line": 6, "column": 20}


def test_a_success_fails_it_where_an_error_is_expected(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: query-status
          error: {$any: true}
    """)
    assert run.status == 1
    assert run.message == "step 2 (qmp): 'qmp' succeeded, though it must fail"


def test_a_vm_that_has_ended_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: quit
        - wait-exit
        - qmp: query-status
    """)
    assert run.status == 1
    assert run.message == "step 4 (qmp): VM 'vm' has ended (status 0)"


def test_two_commands_in_one_are_a_mistake(run_steps: RunSteps) -> None:
    run = run_steps("""
        - qmp: {execute: query-status, exec-oob: query-status}
        - qmp: {arguments: {}}
    """)
    assert run.status == 2
    assert run.stderr.count("needs exactly one of 'execute' and 'exec-oob'") == 2


def test_quit_is_an_orderly_end(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: quit
    """)
    assert run.status == 0, run.stderr


def test_after_quit_the_vm_has_ended_and_not_crashed(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: quit
        - wait-exit
        - qmp: query-block
    """)
    assert run.status == 1
    assert run.message == "step 4 (qmp): VM 'vm' has ended (status 0)"
    assert run.only.block["reason"] == "assertion"


def test_an_unknown_command_of_the_human_monitor_fails_it(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: {execute: human-monitor-command, arguments: {command-line: info nosuch}}
    """)
    assert run.status == 1
    assert run.message == "step 2 (qmp): 'info nosuch' failed: unknown command: 'info nosuch'"


def test_an_error_of_the_human_monitor_is_the_result(run_steps: RunSteps) -> None:
    run = run_steps("""
        - launch
        - qmp: {execute: human-monitor-command, arguments: {command-line: nbd_server_stop}}
          expect: {$contains: NBD server not running}
    """)
    assert run.status == 0, run.stderr
