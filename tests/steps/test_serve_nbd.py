"""The verbs `serve-nbd` and `stop-nbd`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.programs import install_program
from tests.support.scenarios import RunSteps

HEAD = """
procedures:
  connect:
    parameters:
      path: {type: string, default: nbd.sock}
      export: {type: string, default: ""}
    steps:
      - launch
      - qmp:
          execute: blockdev-add
          arguments: {driver: nbd, node-name: client, server: {type: unix, path: "{{ path }}"}, export: "{{ export }}"}
"""


def test_what_a_client_writes_is_in_the_image(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - create-image: {file: a.qcow2, size: 1M}
        - serve-nbd: {file: a.qcow2}
        - call: connect
        - write: {device: client, patterns: [{byte: 0x66, at: 64k, size: 64k}]}
        - read: {device: client, patterns: [{byte: 0x66, at: 64k, size: 64k}]}
        - shutdown
        - stop-nbd
        - read: {file: a.qcow2, patterns: [{byte: 0x66, at: 64k, size: 64k}]}
        """,
        head=HEAD,
    )
    assert run.status == 0, run.stderr


def test_two_servers_have_sockets_and_exports_of_their_own(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 1M}
        - create-image: {file: b.raw, size: 2M}
        - serve-nbd: {file: a.raw, export: one}
        - serve-nbd: {file: b.raw, export: two, socket: other.sock, arguments: [-D, second]}
        - qemu-img: [info, --output=json, "nbd+unix:///one?socket=nbd.sock"]
          expect: {stdout: {$contains: '"virtual-size": 1048576'}}
        - qemu-img: [info, --output=json, "nbd+unix:///two?socket=other.sock"]
          expect: {stdout: {$contains: '"virtual-size": 2097152'}}
        - qemu-img: [info, "nbd+unix:///one?socket=other.sock"]
          error: {status: 1}
        - stop-nbd: {socket: other.sock}
        - stop-nbd
    """)
    assert run.status == 0, run.stderr


def test_a_server_that_is_read_only_refuses_writes(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 1M}
        - serve-nbd: {file: a.raw, read-only: true}
        - launch
        - qmp:
            execute: blockdev-add
            arguments: {driver: nbd, node-name: client, server: {type: unix, path: nbd.sock}}
          error: {desc: {$contains: Permission denied}}
    """)
    assert run.status == 0, run.stderr


def test_a_socket_is_taken_once_and_free_when_its_server_has_ended(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 1M}
        - serve-nbd: {file: a.raw}
        - stop-nbd
        - serve-nbd: {file: a.raw}
        - serve-nbd: {file: a.raw}
    """)
    assert run.status == 1
    assert run.message == "step 5 (serve-nbd): 'nbd.sock' already exists"


def test_a_server_that_was_stopped_serves_nobody(run_steps: RunSteps) -> None:
    run = run_steps(
        """
        - create-image: {file: a.raw, size: 1M}
        - serve-nbd: {file: a.raw}
        - stop-nbd
        - call: connect
        """,
        head=HEAD,
    )
    assert run.status == 1
    assert run.message.endswith("Failed to connect to 'nbd.sock': No such file or directory")


def test_a_server_that_is_not_there_cannot_be_stopped(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 1M}
        - serve-nbd: {file: a.raw}
        - stop-nbd: {socket: other.sock}
    """)
    assert run.status == 1
    assert run.message == "step 3 (stop-nbd): there is no server on 'other.sock'"
    assert run.only.block["hint"] == "servers: nbd.sock"


@pytest.mark.parametrize(
    ("file", "arguments", "reason"),
    [
        ("a.raw", ", arguments: [-o, 5M]", "Invalid offset"),
        ("nosuch.raw", "", "Could not open 'nosuch.raw': No such file or directory"),
    ],
)
def test_a_server_that_does_not_start_fails_the_step(
    run_steps: RunSteps, file: str, arguments: str, reason: str
) -> None:
    run = run_steps(f"""
        - create-image: {{file: a.raw, size: 1M}}
        - serve-nbd: {{file: {file}{arguments}}}
    """)
    assert run.status == 1
    assert run.message == "step 2 (serve-nbd): qemu-nbd on 'nbd.sock' exited with status 1 before its greeting"
    assert reason in run.only.block["hint"]


def test_a_server_is_refused_an_image_that_a_vm_has_open(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.qcow2, size: 1M}
        - launch:
            drives: [{id: drive0, file: a.qcow2, format: qcow2}]
        - serve-nbd: {file: a.qcow2}
          error: {status: 1, stderr: {$contains: 'Failed to get "write" lock'}}
        - shutdown
        - serve-nbd: {file: a.qcow2}
        - stop-nbd
    """)
    assert run.status == 0, run.stderr


def test_a_server_that_starts_fails_an_expected_error(run_steps: RunSteps) -> None:
    run = run_steps("""
        - create-image: {file: a.raw, size: 1M}
        - serve-nbd: {file: a.raw}
          error: {status: 1}
    """)
    assert run.status == 1
    assert run.message == "step 2 (serve-nbd): 'serve-nbd' succeeded, though it must fail"


DIES_SOON = 'echo about to die >&2; (sleep 0.5; kill -SEGV $$) & exec REAL "$@"'
WAIT = "- qemu-io: {file: b.raw, commands: [sleep 1500]}"


@pytest.mark.slow
@pytest.mark.parametrize("last", ["", "- stop-nbd", "- read: {file: b.raw, patterns: [{byte: 1, at: 0, size: 512}]}"])
@pytest.mark.parametrize("format_option", ["--json", "--junit"])
def test_a_server_that_dies_fails_the_case_whatever_the_steps_do(
    run_steps: RunSteps, tmp_path: Path, last: str, format_option: str
) -> None:
    program, report = install_program(tmp_path, "qemu-nbd", DIES_SOON), tmp_path / "report"
    steps = f"""
- create-image: {{file: a.raw, size: 1M}}
- create-image: {{file: b.raw, size: 1M}}
- serve-nbd: {{file: a.raw}}
{WAIT}
{last}
"""
    run = run_steps(steps, "--qemu-nbd", str(program), format_option, str(report))
    assert run.status == 1
    assert run.only.block["reason"] == "qemu-crash"
    assert "qemu-nbd on 'nbd.sock' was killed by SIGSEGV" in run.stderr
    for text in (run.stderr, run.stdout, report.read_text()):
        assert "about to die" in text


CRASHES_ON_SIGTERM = """
trap 'kill -SEGV $$' TERM
(export LISTEN_PID=$BASHPID; exec REAL "$@") &
while true; do wait; done
"""


@pytest.mark.slow
@pytest.mark.parametrize("last", ["", "- stop-nbd"])
def test_a_server_that_crashes_when_it_is_stopped_fails_the_case(
    run_steps: RunSteps, tmp_path: Path, last: str
) -> None:
    program = install_program(tmp_path, "qemu-nbd", CRASHES_ON_SIGTERM)
    steps = f"- create-image: {{file: a.raw, size: 1M}}\n- serve-nbd: {{file: a.raw}}\n{last}"
    run = run_steps(steps, "--qemu-nbd", str(program))
    assert run.status == 1
    assert run.only.block["reason"] == "qemu-crash"
    assert "qemu-nbd on 'nbd.sock' was killed by SIGSEGV" in run.message
