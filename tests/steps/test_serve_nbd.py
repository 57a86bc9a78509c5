"""The verbs `serve-nbd` and `stop-nbd`."""

from __future__ import annotations

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


def test_a_server_that_ended_by_itself_fails_its_stop(run_steps: RunSteps) -> None:
    run = run_steps("""
        - serve-nbd: {file: nosuch.raw}
        - eventually: {within: 20s, every: 10ms}
          steps:
            - qemu-img: [info, "nbd+unix:///?socket=nbd.sock"]
              error: {stderr: {$contains: Connection refused}}
        - qemu-img: [--version]
        - stop-nbd
    """)
    assert run.status == 1
    assert run.message.endswith("(stop-nbd): the server on 'nbd.sock' exited with status 1 before it was stopped")
    assert "Could not open 'nosuch.raw': No such file or directory" in run.only.block["hint"]
